/** What NetworkPolicies let through, worked out as the API's documentation says. */
import { BlockList } from "node:net";
import { type LabelSelector, type Manifest, selects } from "./rendered.ts";

/** Somebody who speaks or is spoken to: a pod, or an address outside. */
export interface Party {
  name: string;
  namespace?: string;
  labels?: Record<string, string>;
  ip?: string;
  /** Named ports of the pod. */
  ports?: Record<string, number>;
}

export interface Ask {
  protocol: "TCP" | "UDP";
  port: number;
}

interface Peer {
  podSelector?: LabelSelector;
  namespaceSelector?: LabelSelector;
  ipBlock?: { cidr: string; except?: string[] };
}

interface Rule {
  from?: Peer[];
  to?: Peer[];
  ports?: { protocol?: string; port?: number | string }[];
}

const within = (ip: string, cidr: string): boolean => {
  const [network, bits] = cidr.split("/") as [string, string];
  const list = new BlockList();
  list.addSubnet(network, Number(bits));
  return list.check(ip);
};

function isPeer(peer: Peer, other: Party, namespace: string): boolean {
  if (peer.ipBlock) {
    const { ip } = other;
    return ip !== undefined && within(ip, peer.ipBlock.cidr) && !peer.ipBlock.except?.some((cidr) => within(ip, cidr));
  }
  if (!other.labels || other.namespace === undefined) return false;
  const inNamespace = peer.namespaceSelector
    ? selects(peer.namespaceSelector, { "kubernetes.io/metadata.name": other.namespace })
    : other.namespace === namespace;
  return inNamespace && selects(peer.podSelector, other.labels);
}

/** One side's word: whether `self` may send to, or take from, `other`. `listener` is who has the port. */
function oneSide(
  policies: Manifest[],
  direction: "Ingress" | "Egress",
  self: Party,
  other: Party,
  listener: Party,
  ask: Ask,
): boolean {
  const mine = policies.filter(
    ({ metadata, spec }) =>
      metadata.namespace === self.namespace &&
      self.labels !== undefined &&
      spec.policyTypes.includes(direction) &&
      selects(spec.podSelector, self.labels),
  );
  if (mine.length === 0) return true;
  return mine.some(({ metadata, spec }) =>
    ((spec[direction.toLowerCase()] ?? []) as Rule[]).some((rule) => {
      const peers = rule.from ?? rule.to;
      const peerFits = !peers || peers.some((peer) => isPeer(peer, other, metadata.namespace ?? ""));
      const portFits =
        !rule.ports ||
        rule.ports.some(({ protocol = "TCP", port }) => {
          const number = typeof port === "string" ? listener.ports?.[port] : port;
          return protocol === ask.protocol && (number === undefined ? port === undefined : number === ask.port);
        });
      return peerFits && portFits;
    }),
  );
}

/** Whether a connection gets through: both ends must allow it. Who no policy selects may do all. */
export const passes = (policies: Manifest[], from: Party, to: Party, ask: Ask): boolean =>
  oneSide(policies, "Egress", from, to, to, ask) && oneSide(policies, "Ingress", to, from, to, ask);
