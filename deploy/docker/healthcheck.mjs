// What an image's HEALTHCHECK runs: 0 when the service answers on its internal port.
const { INTERNAL_PORT } = process.env;
try {
  const answer = await fetch(`http://127.0.0.1:${INTERNAL_PORT}/healthz`, { signal: AbortSignal.timeout(4_000) });
  process.exit(answer.ok ? 0 : 1);
} catch {
  process.exit(1);
}
