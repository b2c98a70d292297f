export { ParleyProvider, type ParleyProviderProps, useParley } from "./parley-provider.ts";
export { useConnection } from "./use-connection.ts";
export { useEmit } from "./use-emit.ts";
export { useEvent } from "./use-event.ts";
export { usePresence } from "./use-presence.ts";
export { useRoom } from "./use-room.ts";
export { useRooms } from "./use-rooms.ts";
export { useTimer } from "./use-timer.ts";
export { useTyping } from "./use-typing.ts";
