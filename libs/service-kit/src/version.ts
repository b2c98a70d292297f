import manifest from "../package.json" with { type: "json" };

/** Parley's own: all its packages have one version. */
export const { version } = manifest;
