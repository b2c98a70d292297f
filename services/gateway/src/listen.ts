import uws, { type TemplatedApp, type us_listen_socket } from "uWebSockets.js";

/** Of uWebSockets' ListenOptions, a const enum: without it two processes share a port, and each gets some connections. */
const exclusivePort = 1;

export interface Listening {
  port: number;
  /** Takes no new connections; those there are stay. */
  close(): void;
}

/** `port` 0: any. Rejects with what to do when the port is taken. */
export function listen(app: TemplatedApp, host: string, port: number): Promise<Listening> {
  const inUse = `Port ${port} can't be listened on at ${host}: is it in use? Set PORT to another one`;
  return new Promise((resolve, reject) => {
    const listened = (socket: us_listen_socket | false) =>
      socket
        ? resolve({ port: uws.us_socket_local_port(socket), close: () => uws.us_listen_socket_close(socket) })
        : reject(Object.assign(new Error(inUse), { clear: true }));
    // The types leave out this form, host and options together, which the library has.
    const full = app.listen as unknown as (host: string, port: number, options: number, done: typeof listened) => void;
    full.call(app, host, port, exclusivePort, listened);
  });
}
