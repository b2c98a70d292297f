/** Resolves once `holds` does; rejects with what it waited for after `timeoutMs`. */
export async function until(what: string, holds: () => boolean, timeoutMs = 5_000): Promise<void> {
  const endMs = Date.now() + timeoutMs;
  while (!holds()) {
    if (Date.now() > endMs) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
