/**
 * The yardstick: uWebSockets.js and nothing else. It publishes what comes to its room's topic, byte for byte, and
 * answers each message as Parley does, with a reply that names its request id. No store, no bus, no parsing.
 *
 * A process of its own. Paths: `/listen/ROOM`, `/publish/ROOM` (answered). Prints `{"port":N}` and ends with its stdin.
 */
import uws from "uWebSockets.js";
import { firstRequestId } from "./send-frame.ts";

interface BareSocket {
  room: string;
  listens: boolean;
}

const requestIdDigits = String(firstRequestId).length;
const requestIdAt = '{"eventType":"ClientEvent","event":"SendMessage","requestId":'.length;
const replyHead = Buffer.from('{"eventType":"Reply","event":"SendMessage","requestId":');
const reply = Buffer.concat([replyHead, Buffer.alloc(requestIdDigits), Buffer.from(',"success":true}')]);

const app = uws.App().ws<BareSocket>("/*", {
  compression: uws.DISABLED,
  maxPayloadLength: 64 * 1024,
  maxBackpressure: 1024 * 1024,
  idleTimeout: 0,
  upgrade(response, request, context) {
    const [, role, room = ""] = request.getUrl().split("/");
    response.upgrade<BareSocket>(
      { room: decodeURIComponent(room), listens: role === "listen" },
      request.getHeader("sec-websocket-key"),
      request.getHeader("sec-websocket-protocol"),
      request.getHeader("sec-websocket-extensions"),
      context,
    );
  },
  open(socket) {
    const { room, listens } = socket.getUserData();
    if (listens) socket.subscribe(room);
  },
  message(socket, message) {
    app.publish(socket.getUserData().room, message, false);
    reply.set(new Uint8Array(message, requestIdAt, requestIdDigits), replyHead.length);
    socket.send(reply, false);
  },
});

app.listen("127.0.0.1", 0, (listening) => {
  if (!listening) throw new Error("the bare server found no free port on 127.0.0.1");
  process.stdout.write(`${JSON.stringify({ port: uws.us_socket_local_port(listening) })}\n`);
});

process.stdin.on("end", () => process.exit(0)).resume();
