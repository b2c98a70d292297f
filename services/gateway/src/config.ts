import { commonSettings, readSettings, Type } from "@parley/service-kit";

export const gatewaySettings = Type.Object({
  ...commonSettings,
  HOST: Type.String({ default: "0.0.0.0", description: "address of the public port" }),
  PORT: Type.Integer({ default: 8080, minimum: 0, maximum: 65535, description: "the public port; 0: any" }),
  WEB_DIR: Type.Optional(Type.String({ description: "folder of the page served at /" })),
  GUEST_KEY: Type.String({ minLength: 32, description: "secret that signs guests' tokens; the same on every gateway" }),
  ALLOWED_ORIGINS: Type.String({
    default: "",
    description: "origins, comma-separated, whose pages may connect besides this gateway's own; *: any",
  }),
  RAW_ROOMS: Type.Boolean({ default: true, description: "allow /raw/{room}, which asks nobody who they are" }),
  LOAD_TEST: Type.Boolean({ default: false, description: "lift the limits per session and per address" }),
});

export const readGatewayConfig = () => readSettings(gatewaySettings);
