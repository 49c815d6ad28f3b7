import type { Storage as GraphiQLStorage } from '@graphiql/toolkit';

const prefix = 'graphiql:';

/** GraphiQL's two lists of past operations. */
const histories = [`${prefix}queries`, `${prefix}favorites`];

function ownKeys(): string[] {
  return Object.keys(localStorage).filter((key) => key.startsWith(prefix));
}

/**
 * localStorage for tabs, history and the theme, without request headers: the
 * history would keep a token typed into the Headers pane for ever. The console
 * shares the host, so only GraphiQL's own keys are counted and cleared.
 */
export const headerlessStorage: GraphiQLStorage = {
  get length() {
    return ownKeys().length;
  },
  getItem: (key) => localStorage.getItem(key),
  setItem: (key, value) => localStorage.setItem(key, histories.includes(key) ? withoutHeaders(value) : value),
  removeItem: (key) => localStorage.removeItem(key),
  clear: () => ownKeys().forEach((key) => localStorage.removeItem(key)),
};

function withoutHeaders(history: string): string {
  return JSON.stringify(
    JSON.parse(history, (key, value: unknown) => (key === 'headers' ? undefined : value)),
  );
}
