/** SMS into a file, one JSON line each: what works out of the box, and what the page shows as a phone. */
import { appendFile, open, readFile } from "node:fs/promises";
import type { OutgoingSms, Provider } from "./provider.ts";

export interface FileOptions {
  path: string;
  /** Told of each SMS that is in the file. */
  onSent?: (sms: OutgoingSms) => void;
}

/** Throws when the file can't be written to. */
export async function createFileProvider({ path, onSent }: FileOptions): Promise<Provider> {
  await (await open(path, "a", 0o600)).close();
  return {
    name: "file",
    async send(sms) {
      const line = `${JSON.stringify({ id: sms.id, to: sms.to, text: sms.text, at: new Date().toISOString() })}\n`;
      try {
        await appendFile(path, line, { flush: true });
      } catch (error) {
        // A disk that is full may have taken half a line.
        return { kind: "uncertain", error: `The file can't be written to: ${(error as { code?: string }).code}` };
      }
      onSent?.(sms);
      return { kind: "accepted", providerId: sms.id };
    },
    async lookUp({ id }) {
      const lines = (await readFile(path, "utf8").catch(() => "")).split("\n");
      const has = lines.some((line) => line.startsWith(`{"id":${JSON.stringify(id)},`) && line.endsWith("}"));
      return has
        ? { kind: "accepted", providerId: id }
        : { kind: "refused", error: "It is not in the file", final: true };
    },
  };
}
