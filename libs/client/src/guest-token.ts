/** Where a guest's token is kept between visits: `localStorage` fits. */
export interface TokenStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

export interface GuestToken {
  get(): string | null;
  set(token: string): void;
  forget(): void;
}

/** The guest's token, in memory and, where a storage is given and works, across visits. */
export function createGuestToken(storage: TokenStorage | undefined, key: string): GuestToken {
  let token: string | null = null;
  // Storage may be switched off, full or not allowed: the guest is then the same until the page is left.
  const attempt = <Value>(act: () => Value): Value | null => {
    try {
      return act();
    } catch {
      return null;
    }
  };
  return {
    get: () => token ?? attempt(() => storage?.getItem(key) ?? null),
    set(value) {
      token = value;
      attempt(() => storage?.setItem(key, value));
    },
    forget() {
      token = null;
      attempt(() => storage?.removeItem(key));
    },
  };
}
