/** What workers tell all gateways, as JSON on `subjects.gateways()` (or one of them on its own subject). */
export type GatewayOrder =
  /** A frame for every session of these users, but for one session. */
  | { order: "users"; users: string[]; frame: string; exceptSession?: string }
  /** A frame for every session there is. */
  | { order: "all"; frame: string }
  /** All sessions of the user are closed. */
  | { order: "disconnect"; user: string }
  /** What was issued to this user, or under this token id, up to `beforeMs` holds no more: its sessions end. */
  | { order: "revoke"; user: string | null; tokenId: string | null; beforeMs: number }
  /** A user became a member of a room, or ceased to be: whom to tell of unread messages. */
  | { order: "membership"; user: string; room: string; member: boolean };
