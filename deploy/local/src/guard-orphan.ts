import { spawn } from "node:child_process";

/**
 * Sees to it that a server that is not ours ends when this process dies, however it dies: a shell waits on a pipe that
 * only we hold and then ends the server. Returns the function that takes the guard away.
 */
export function guardOrphan(pid: number): () => void {
  const guard = spawn("/bin/sh", ["-c", 'read -r ended || kill "$0" 2>/dev/null', String(pid)], {
    stdio: ["pipe", "ignore", "ignore"],
    // Of a process group of its own, so that a terminal's Ctrl-C does not end the guard before its work.
    detached: true,
  });
  guard.on("error", () => {});
  guard.stdin.on("error", () => {});
  guard.unref();
  return () => guard.stdin.end("ended\n");
}
