import { spawnSync } from "node:child_process";
import { findOnPath } from "./find-on-path.ts";

/**
 * Installs a Debian package where that can be done without asking: as root on Debian or Ubuntu. Says so first.
 * Returns false where it can't be done or did not work.
 */
export function aptInstall(packageName: string, why: string, announce: (line: string) => void): boolean {
  if (process.getuid?.() !== 0 || findOnPath("apt-get") === null) return false;
  announce(`installing Debian's package ${packageName} with apt-get, ${why}`);
  // RUNLEVEL=1 keeps the package from starting a system service of its own.
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  const run = (...args: string[]) => spawnSync("apt-get", args, { stdio: ["ignore", "ignore", "inherit"], env }).status;
  // An update that fails (no network) is no reason to give up: the lists on the machine may do.
  run("-qq", "update");
  return run("-qq", "install", "-y", "--no-install-recommends", packageName) === 0;
}
