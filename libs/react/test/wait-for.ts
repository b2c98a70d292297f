/** Resolves once `holds` does; rejects with what it waited for after 10 s. */
export async function waitFor(what: string, holds: () => unknown): Promise<void> {
  const endMs = Date.now() + 10_000;
  while (!holds()) {
    if (Date.now() > endMs) throw new Error(`waited 10 s in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
