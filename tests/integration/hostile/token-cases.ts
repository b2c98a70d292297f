import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type CryptoKey, exportJWK, exportSPKI, generateKeyPair, SignJWT } from "jose";
import type { Teardown } from "../../support/teardown.ts";
import { codeOf, codeThenClose, type HostileCase, issuer } from "./hostile-case.ts";

/** Somebody who issues tokens, with keys at an address, and a thief with keys of his own at another. */
export async function startIssuer(teardown: Teardown) {
  const { privateKey, publicKey } = await generateKeyPair("RS256", { extractable: true });
  const thief = await generateKeyPair("RS256", { extractable: true });
  const asked: string[] = [];
  const jwk = { ...(await exportJWK(publicKey)), kid: "k1", alg: "RS256", use: "sig" };
  const stolen = { ...(await exportJWK(thief.publicKey)), kid: "k1", alg: "RS256", use: "sig" };
  const server = createServer((request, response) => {
    asked.push(String(request.url));
    const keys = request.url === "/keys" ? [jwk] : [stolen];
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ keys }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  teardown.after(() => void server.close());
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { url: `${base}/keys`, thiefUrl: `${base}/thief`, asked, privateKey, publicKey, thief, stolen };
}

export type Issuer = Awaited<ReturnType<typeof startIssuer>>;

const bytes = (text: string) => new TextEncoder().encode(text);
const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
const seconds = () => Math.floor(Date.now() / 1000);
const claims = (extra: object = {}) => ({
  ...{ sub: "mallory", aud: "parley", iss: issuer, iat: seconds(), exp: seconds() + 600 },
  ...extra,
});

export function tokenCases(from: Issuer): HostileCase[] {
  const rs256 = (extra: object = {}, header: object = {}, key: CryptoKey = from.privateKey) =>
    new SignJWT(claims(extra) as object as Record<string, string>)
      .setProtectedHeader({ alg: "RS256", kid: "k1", ...header })
      .sign(key);
  const register = (what: string, token: (secret: string) => string | Promise<string>): HostileCase => ({
    what: `token: ${what}`,
    answer: "unauthorized, then 4500",
    run: async ({ stack, stranger }) =>
      codeThenClose(await stranger(), "Register", { token: await token(stack.tokenSecret) }),
  });
  const unsigned = (header: object, signature = "") => `${part(header)}.${part(claims())}.${signature}`;
  const hs = (extra: object, secret: string) =>
    new SignJWT(claims(extra) as object as Record<string, string>)
      .setProtectedHeader({ alg: "HS256" })
      .sign(bytes(secret));
  return [
    {
      what: "token: a good one, to compare with",
      answer: "ok",
      run: async ({ stranger }) => codeOf(await (await stranger()).send("Register", { token: await rs256() })),
    },
    register("alg none", () => unsigned({ alg: "none" })),
    register("alg None", () => unsigned({ alg: "None" })),
    register("alg none with a signature", () => unsigned({ alg: "none" }, "AAAA")),
    register("no alg", () => unsigned({ typ: "JWT" })),
    register("alg a number", () => unsigned({ alg: 256 })),
    register("HS256 with the RSA public key as the secret", async () => hs({}, await exportSPKI(from.publicKey))),
    register("HS256 with an empty secret", () => unsigned({ alg: "HS256" }, "")),
    register("HS256 with a guessed secret", () => hs({}, "secret secret secret secret secret")),
    register("RS256 of the thief's key under the issuer's kid", () => rs256({}, {}, from.thief.privateKey)),
    register("an algorithm that is not allowed (RS512)", () =>
      rs256({}, { alg: "RS512" }).catch(() => unsigned({ alg: "RS512", kid: "k1" }, "AAAA")),
    ),
    register("run out", () => rs256({ exp: seconds() - 10 })),
    register("run out long ago", () => rs256({ exp: 1 })),
    register("no exp", () => rs256({ exp: undefined })),
    register("exp a text", () => rs256({ exp: "9999999999" })),
    register("not yet valid (nbf)", () => rs256({ nbf: seconds() + 600 })),
    register("wrong aud", () => rs256({ aud: "other" })),
    register("no aud", () => rs256({ aud: undefined })),
    register("wrong iss", () => rs256({ iss: "https://evil.example" })),
    register("iss with a suffix", () => rs256({ iss: `${issuer}.evil.example` })),
    register("no iss", () => rs256({ iss: undefined })),
    register("unknown kid", () => rs256({}, { kid: "k2" })),
    register("kid like a path", () => rs256({}, { kid: "../../../../etc/passwd" }, from.thief.privateKey)),
    register("kid like SQL", () => rs256({}, { kid: "' UNION SELECT 'k' --" }, from.thief.privateKey)),
    register("kid like a URL", () => rs256({}, { kid: from.thiefUrl }, from.thief.privateKey)),
    register("jku of the thief's", () => rs256({}, { kid: "k2", jku: from.thiefUrl }, from.thief.privateKey)),
    register("x5u of the thief's", () => rs256({}, { kid: "k2", x5u: from.thiefUrl }, from.thief.privateKey)),
    register("jwk of the thief's in the header", () =>
      rs256({}, { kid: "k2", jwk: from.stolen }, from.thief.privateKey),
    ),
    register(
      "crit of what nobody knows",
      async () => `${part({ alg: "RS256", kid: "k1", crit: ["x"], x: 1 })}.${part(claims())}.AAAA`,
    ),
    register("sub of a guest", () => rs256({ sub: "guest-AAAAAAAAAAAA" })),
    register("sub of the system", () => rs256({ sub: "system" })),
    register("sub with a line end", () => rs256({ sub: "a\nb" })),
    register("sub a number", () => rs256({ sub: 7 })),
    register("no sub", () => rs256({ sub: undefined })),
    register("an unknown right", () => rs256({ rights: ["join", "root"] })),
    register("rights a text", () => rs256({ rights: "admin" })),
    register("rooms a text", () => rs256({ rooms: "*" })),
    register("a guest's token with the users' secret", (secret) =>
      hs({ aud: "parley-guest", sub: "guest-AAAAAAAAAAAA" }, secret),
    ),
    register("four parts", async () => `${await rs256()}.x`),
    register(
      "payload no JSON",
      () => `${part({ alg: "RS256", kid: "k1" })}.${Buffer.from("{").toString("base64url")}.AAAA`,
    ),
    register("8 KiB of A", () => "A".repeat(8_000)),
    {
      what: "token: over 8 KiB",
      answer: "bad_request",
      run: async ({ stranger }) => codeOf(await (await stranger()).send("Register", { token: "A".repeat(9_000) })),
    },
    {
      what: "token: no address of the thief's was ever asked",
      answer: "0 times",
      run: async () => `${from.asked.filter((url) => url !== "/keys").length} times`,
    },
    {
      what: "RefreshToken: another user's",
      answer: "unauthorized",
      run: async ({ stranger }) => {
        const client = await stranger();
        await client.request("Register", { token: await rs256() });
        return codeOf(await client.send("RefreshToken", { token: await rs256({ sub: "victim" }) }));
      },
    },
    {
      what: "RefreshToken: alg none",
      answer: "unauthorized",
      run: async ({ stranger }) => {
        const client = await stranger();
        await client.request("Register", { token: await rs256() });
        return codeOf(await client.send("RefreshToken", { token: unsigned({ alg: "none" }) }));
      },
    },
    {
      what: "Register: as another user, without a token",
      answer: "unauthorized, then 4500",
      run: async ({ stranger }) =>
        codeThenClose(await stranger(), "Register", { user: { id: "victim" }, id: "victim", sub: "victim" }),
    },
  ];
}
