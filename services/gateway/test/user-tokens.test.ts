import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { encodeRights, hasRight, hasRightIn } from "@parley/bus";
import { exportJWK, exportSPKI, generateKeyPair, type JWK, SignJWT } from "jose";
import { createJwks, KeysUnavailable } from "../src/jwks.ts";
import { createUserTokens, type UserTokenOptions, WrongToken } from "../src/user-tokens.ts";

const secret = "a secret that only the issuer and the gateways know";
const base: UserTokenOptions = {
  secrets: [],
  jwksUrl: null,
  algorithms: ["RS256", "ES256", "EdDSA"],
  issuer: null,
  audience: "parley",
  defaultRights: ["join", "send"],
};
const bytes = (text: string) => new TextEncoder().encode(text);

function claims(extra: object = {}): SignJWT {
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT({ sub: "ada", aud: "parley", iat: now, exp: now + 60, ...extra } as object as Record<
    string,
    string
  >);
}
const hs256 = (extra: object = {}, key = secret) => claims(extra).setProtectedHeader({ alg: "HS256" }).sign(bytes(key));

async function keyPair(alg: "RS256" | "ES256" | "EdDSA", kid: string) {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const jwk: JWK = { ...(await exportJWK(publicKey)), kid, alg, use: "sig" };
  const sign = (extra: object = {}, header: object = {}) =>
    claims(extra)
      .setProtectedHeader({ alg, kid, ...header })
      .sign(privateKey);
  return { jwk, sign, publicKey };
}

/** A server of keys that counts how often it is asked. */
async function keyServer(t: TestContext, keys: JWK[]) {
  const state = { keys, asked: 0, status: 200, paths: new Set<string>() };
  const server = createServer((request, response) => {
    state.asked++;
    state.paths.add(request.url ?? "");
    response.writeHead(state.status, { "content-type": "application/json" }).end(JSON.stringify({ keys: state.keys }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => void server.close());
  return { state, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys` };
}

const rejected = (work: Promise<unknown>) => assert.rejects(work, WrongToken);

test("a token says who its user is and what they may; without rights the operator's hold", async () => {
  const verify = createUserTokens({ ...base, secrets: [secret] });
  const plain = await verify(await hs256());
  assert.deepEqual([plain.id, plain.name, plain.rights, plain.tokenId], ["ada", "ada", "js", null]);
  const rich = await verify(
    await hs256({
      ...{ name: "Ada", jti: "t1", roles: ["moderator", "gardener"], rights: ["emit:all"] },
      ...{ rooms: ["board-*"], info: { team: 1 } },
    }),
  );
  assert.deepEqual([rich.name, rich.tokenId, rich.infoJson], ["Ada", "t1", '{"team":1}']);
  assert.ok(hasRight(rich.rights, "moderate") && hasRight(rich.rights, "emit:all"));
  assert.ok(hasRightIn(rich.rights, "send", "board-7") && !hasRightIn(rich.rights, "send", "lobby"));
  assert.ok(!hasRight(rich.rights, "emit:users"));
});

test("claims that are missing, early, over, for others or of a wrong kind are refused", async () => {
  const verify = createUserTokens({ ...base, secrets: [secret], issuer: "https://app.example" });
  const good = { iss: "https://app.example" };
  await verify(await hs256(good));
  const now = Math.floor(Date.now() / 1000);
  for (const wrong of [
    ...[{ exp: undefined }, { exp: now - 1 }, { exp: now - 100_000 }, { exp: "tomorrow" }, { exp: -1 }],
    ...[{ nbf: now + 60 }, { aud: undefined }, { aud: "parley2" }, { aud: ["x"] }, { iss: undefined }],
    ...[{ iss: "https://app.example.evil" }, { sub: undefined }, { sub: "" }, { sub: 7 }, { sub: "a\nb" }],
    ...[{ sub: "x".repeat(129) }, { sub: "system" }, { name: 5 }, { name: "a\u0000" }],
    ...[{ rights: "join" }, { rights: ["fly"] }, { rights: [1] }, { roles: "admin" }, { roles: [{}] }],
    ...[{ rooms: "board-*" }, { rooms: [1] }, { rooms: [""] }, { rooms: ["a\nb"] }, { rooms: Array(101).fill("*") }],
    ...[{ info: [] }, { info: "x" }, { info: { a: "x".repeat(5_000) } }],
  ])
    await assert.rejects(verify(await hs256({ ...good, ...wrong })), WrongToken, JSON.stringify(wrong));
});

test("while a secret changes, both hold; a third does not", async () => {
  const next = "the secret that takes over from the first, some day";
  const verify = createUserTokens({ ...base, secrets: [next, secret] });
  await verify(await hs256());
  await verify(await hs256({}, next));
  await rejected(hs256({}, "somebody's own secret, as long as it has to be").then(verify));
  const none = createUserTokens(base);
  await rejected(hs256().then(none));
});

test("RS256, ES256 and EdDSA by the issuer's keys; one fetch serves many", async (t) => {
  const pairs = await Promise.all((["RS256", "ES256", "EdDSA"] as const).map((alg) => keyPair(alg, `k-${alg}`)));
  const { state, url } = await keyServer(
    t,
    pairs.map(({ jwk }) => jwk),
  );
  const verify = createUserTokens({ ...base, jwksUrl: url });
  const tokens = await Promise.all(pairs.map(({ sign }) => sign()));
  await Promise.all([...tokens, ...tokens].map(verify));
  assert.equal(state.asked, 1);
  const only = createUserTokens({ ...base, jwksUrl: url, algorithms: ["ES256"] });
  await only(tokens[1]!);
  for (const token of [tokens[0]!, tokens[2]!]) await rejected(only(token));
});

test("keys rotate: a new kid is fetched, unknown ones ask once in a while only, and no jku is ever followed", async (t) => {
  const [old, young, foreign] = await Promise.all(["old", "young", "foreign"].map((kid) => keyPair("ES256", kid)));
  const { state, url } = await keyServer(t, [old!.jwk]);
  const thief = await keyServer(t, [foreign!.jwk]);
  let nowMs = 1_000_000;
  const findKey = createJwks({ url, now: () => nowMs });
  const verify = createUserTokens({ ...base, findKey });
  await verify(await old!.sign());
  state.keys = [young!.jwk, old!.jwk];
  await rejected(young!.sign().then(verify));
  nowMs += 31_000;
  await verify(await young!.sign());
  assert.equal(state.asked, 2);
  for (const kid of ["nope", "../../etc/passwd", "' OR 1=1 --", "\u0000", "__proto__", "x".repeat(4_000)])
    await rejected(foreign!.sign({}, { kid, jku: thief.url, x5u: thief.url, jwk: foreign!.jwk }).then(verify));
  assert.equal(state.asked, 2);
  nowMs += 31_000;
  for (let i = 0; i < 20; i++) await rejected(foreign!.sign({}, { kid: `k${i}` }).then(verify));
  assert.equal(state.asked, 3);
  state.keys = [young!.jwk];
  nowMs += 11 * 60_000;
  // The old keys serve once more while the new ones come.
  await verify(await old!.sign());
  for (let i = 0; i < 200 && state.asked < 4; i++) await new Promise((resolve) => setTimeout(resolve, 10));
  for (let i = 0; ; i++) {
    const still = await old!
      .sign()
      .then(verify)
      .catch(() => null);
    if (still === null || i > 200) {
      assert.equal(still, null, "a key that was taken back");
      break;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.equal(thief.state.asked, 0);
});

test("keys that can't be had: known ones go on, and who has none is told to try again", async (t) => {
  const pair = await keyPair("ES256", "k");
  const { state, url } = await keyServer(t, [pair.jwk]);
  let nowMs = 0;
  const verify = createUserTokens({ ...base, findKey: createJwks({ url, now: () => nowMs }) });
  state.status = 500;
  await assert.rejects(pair.sign().then(verify), KeysUnavailable);
  await assert.rejects(pair.sign().then(verify), KeysUnavailable);
  assert.equal(state.asked, 1, "not asked again in the same second");
  state.status = 200;
  nowMs += 1_001;
  await verify(await pair.sign());
  state.status = 500;
  nowMs += 60 * 60_000;
  await verify(await pair.sign());
});

test("no algorithm is talked into taking another's key", async (t) => {
  const pair = await keyPair("RS256", "k");
  const { url } = await keyServer(t, [pair.jwk]);
  const verify = createUserTokens({ ...base, secrets: [secret], jwksUrl: url });
  const now = Math.floor(Date.now() / 1000);
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const payload = { sub: "ada", aud: "parley", exp: now + 60 };
  const pem = await exportSPKI(pair.publicKey);
  for (const alg of ["none", "None", "NONE", "nOnE", ""]) {
    await rejected(verify(`${part({ alg })}.${part(payload)}.`));
    await rejected(verify(`${part({ alg })}.${part(payload)}.AAAA`));
  }
  // The public key, which everybody knows, as the secret of HS256.
  await rejected(claims().setProtectedHeader({ alg: "HS256", kid: "k" }).sign(bytes(pem)).then(verify));
  await rejected(
    claims()
      .setProtectedHeader({ alg: "HS512" })
      .sign(bytes(secret.repeat(2)))
      .then(verify),
  );
  for (const text of [
    "",
    "x",
    "..",
    "a.b.c",
    `${part({ alg: "HS256" })}..`,
    `${await hs256()}x`,
    `${await hs256()}.x.y`,
  ])
    await rejected(verify(text));
  const token = await hs256();
  // Not the last one: two of its bits mean nothing.
  for (let i = 0; i < token.length - 1; i += 7) {
    const changed = `${token.slice(0, i)}${token[i] === "A" ? "B" : "A"}${token.slice(i + 1)}`;
    await rejected(verify(changed));
  }
});

test("a pattern's star stands for anything, and nothing else does", () => {
  const may = (pattern: string, room: string) => hasRightIn(encodeRights(["join"], [pattern]), "join", room);
  assert.ok(
    may("*", "anything .*> at all") && may("board-*", "board-") && may("*-end", "the-end") && may("a*b*c", "aXbYbZc"),
  );
  assert.ok(may("**", "x") && may("exact", "exact"));
  for (const [pattern, room] of [
    ...[
      ["board-*", "Board-1"],
      ["board-*", "xboard-1"],
      ["a*b", "abx"],
      ["a.c", "abc"],
      ["[a]", "a"],
      ["exact", "exactly"],
    ],
    ...[
      ["(a+)+$", "aaaaaaaaaaaaaaaa!"],
      ["*a*a*a*a*a*a*a*a*b", "a".repeat(128)],
    ],
  ] as [string, string][])
    assert.ok(!may(pattern, room), `${pattern} ${room}`);
  assert.ok(!hasRightIn(encodeRights(["join"], []), "join", "x"), "no patterns, no rooms");
  assert.ok(hasRightIn(encodeRights(["join"]), "join", "x"));
});
