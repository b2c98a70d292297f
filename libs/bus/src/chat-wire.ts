/** What gateways ask chat workers, and the answers. `send` is binary, being nearly all there is; the rest is JSON. */
import type { Amend, ErrorCode, Resume, TicketStatusName } from "@parley/protocol";
import type { ByteReader, ByteWriter } from "./bytes.ts";
import type { JsonAnswer } from "./json-wire.ts";

export interface Actor {
  id: string;
  name: string;
  guest: boolean;
  /** What the user may do: see rights.ts. */
  rights: string;
}

/** Whom a token was issued to, and when. */
export interface Bearer {
  user: string;
  /** 0 where the token does not say. */
  issuedAtMs: number;
  tokenId: string | null;
}

export interface ChatSend {
  kind: "send";
  room: string;
  userId: string;
  rights: string;
  /** `{"id":…,"name":…}` as entries carry it, encoded once a session. */
  senderJson: string;
  clientMessageId: string;
  text: string | null;
  dataJson: string;
  replyTo: number | null;
}

export type ChatAsk =
  /**
   * A session begins, or gets another token. `fresh`: a guest who was never here; `issuedAtMs`, `tokenId`: of the token, 0 and
   * null where it does not say. Answer json `{memberships:[room]}`, or unauthorized.
   */
  | {
      kind: "arrive";
      user: Actor;
      infoJson: string | null;
      fresh: boolean;
      issuedAtMs: number;
      tokenId: string | null;
    }
  /** Which of these sessions rest on what was revoked? Answer json: `[true | false, …]` in their order. */
  | { kind: "revoked"; bearers: Bearer[] }
  /** These guests are still (or were until now) connected. Answer json `{}`. */
  | { kind: "seen"; users: string[] }
  /** Answer `joined`. `quiet`: a reconnection, of which the room is not told. */
  | ({ kind: "join"; user: Actor; quiet: boolean } & Resume)
  /** `listening`: the session heard the room until now, so the room is told. */
  | { kind: "leave"; user: Actor; room: string; forget: boolean; listening: boolean }
  | ({ kind: "amend"; user: Actor } & Amend)
  /** May the user say something passing in the room now: type, or emit? Answer json `{}`, or refused as a message would be. */
  | { kind: "speak"; user: Actor; room: string }
  | { kind: "history"; user: Actor; room: string; before: number | null; after: number | null; limit: number }
  | { kind: "markRead"; user: Actor; session: string; room: string; seq: number }
  | { kind: "rooms"; user: Actor; next: string | null }
  /**
   * A ticket under a name made by the gateway, so that an event carried out twice makes one; so it is for one that the client
   * sent twice under an id of its own. Answer json `{room}`.
   */
  | { kind: "openTicket"; user: Actor; room: string; subject: string; text: string; clientTicketId: string | null }
  /** Answer json TicketsData. */
  | { kind: "tickets"; user: Actor; status: TicketStatusName; next: string | null }
  /** These answer json TicketView. */
  | { kind: "claimTicket"; user: Actor; room: string }
  | { kind: "handOverTicket"; user: Actor; room: string; agent: string }
  | { kind: "closeTicket"; user: Actor; room: string; rating: number | null; comment: string | null }
  /** Entries after `after`, as fan-out records. Answer `bytes`. */
  | { kind: "fill"; room: string; after: number }
  /** Answer json: `[[key, seq] | null, …]` in the order of the rooms. */
  | { kind: "heads"; rooms: string[] }
  /** Answer json: `[unread, …]` in the order of the items. */
  | { kind: "unread"; items: { room: string; user: string }[] };

export type ChatRequest = ChatSend | ChatAsk;

export type ChatAnswer =
  | { kind: "sent"; seq: number; atMs: number; duplicate: boolean }
  | JsonAnswer
  /** `json` is the reply's data; the room's key and head are for the gateway. */
  | { kind: "joined"; key: number; head: number; json: string }
  | { kind: "bytes"; bytes: Uint8Array };

export function encodeChatRequest(writer: ByteWriter, request: ChatRequest): void {
  if (request.kind !== "send") {
    writer.u8(2);
    writer.string(JSON.stringify(request));
    return;
  }
  writer.u8(1);
  writer.string(request.room);
  writer.string(request.userId);
  writer.string(request.rights);
  writer.string(request.senderJson);
  writer.string(request.clientMessageId);
  writer.nullable(request.text);
  writer.string(request.dataJson);
  writer.f64(request.replyTo ?? 0);
}

export function decodeChatRequest(reader: ByteReader): ChatRequest {
  if (reader.u8() === 2) return JSON.parse(reader.string()) as ChatAsk;
  return {
    kind: "send",
    room: reader.string(),
    userId: reader.string(),
    rights: reader.string(),
    senderJson: reader.string(),
    clientMessageId: reader.string(),
    text: reader.nullable(),
    dataJson: reader.string(),
    replyTo: reader.f64() || null,
  };
}

export function encodeChatAnswer(writer: ByteWriter, answer: ChatAnswer): void {
  switch (answer.kind) {
    case "sent":
      writer.u8(answer.duplicate ? 2 : 1);
      writer.f64(answer.seq);
      writer.f64(answer.atMs);
      break;
    case "json":
      writer.u8(3);
      writer.string(answer.json);
      break;
    case "joined":
      writer.u8(4);
      writer.f64(answer.key);
      writer.f64(answer.head);
      writer.string(answer.json);
      break;
    case "bytes":
      writer.u8(5);
      writer.bytes(answer.bytes);
      break;
    case "refused":
      writer.u8(6);
      writer.string(answer.code);
      writer.string(answer.error);
  }
}

export function decodeChatAnswer(reader: ByteReader): ChatAnswer {
  const kind = reader.u8();
  switch (kind) {
    case 1:
    case 2:
      return { kind: "sent", seq: reader.f64(), atMs: reader.f64(), duplicate: kind === 2 };
    case 3:
      return { kind: "json", json: reader.string() };
    case 4:
      return { kind: "joined", key: reader.f64(), head: reader.f64(), json: reader.string() };
    case 5:
      // A copy: the bytes belong to the connection's buffer, and whoever asked keeps them.
      return { kind: "bytes", bytes: Uint8Array.from(reader.bytes()) };
    case 6:
      return { kind: "refused", code: reader.string() as ErrorCode, error: reader.string() };
    default:
      throw new RangeError(`No chat answer is of kind ${kind}`);
  }
}
