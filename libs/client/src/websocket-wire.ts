import type { Wire, WireHooks } from "./wire.ts";

export function openWebSocket(url: string, WebSocketType: typeof WebSocket, hooks: WireHooks): Wire {
  const socket = new WebSocketType(url, "parley.v1.json");
  let over = false;

  function end(code: number, reason = "") {
    if (over) return;
    over = true;
    hooks.onClose(code, reason);
  }

  socket.onmessage = ({ data }) => {
    if (!over) hooks.onFrame(JSON.parse(data));
  };
  socket.onclose = ({ code, reason }) => end(code, reason);
  socket.onerror = () => {
    // Node's WebSocket has no close event for a connection that never came about; elsewhere one follows, with 1006.
    if (socket.readyState !== 1) end(1006);
  };

  return {
    send(frame) {
      // While it is closing, what is asked waits for the close event, as what was asked before.
      if (socket.readyState === 1) socket.send(JSON.stringify(frame));
    },
    close(code) {
      over = true;
      socket.close(code);
    },
  };
}
