import { createGraphiQLFetcher, type Fetcher } from '@graphiql/toolkit';
import { type Client, createClient } from 'graphql-ws';
import { endpoint, socketEndpoint } from './endpoint';
import type { Session } from './session';

/** A fetcher and the socket it opens on the first subscription. */
export interface Transport {
  fetcher: Fetcher;
  socket: Client;
}

/**
 * Operations go by POST, subscriptions by graphql-transport-ws, both with the
 * session's current token. Make a new one when another person signs in: a
 * socket is signed in once, when it connects.
 */
export function createTransport(session: Session): Transport {
  const socket = createClient({
    url: socketEndpoint.href,
    lazy: true,
    retryAttempts: 3,
    // Read at every connect, so that a reconnect carries a renewed token.
    connectionParams: async () => {
      const authorization = await session.authorization();
      return authorization ? { authorization } : {};
    },
  });
  const fetcher = createGraphiQLFetcher({
    url: endpoint.href,
    wsClient: socket,
    enableIncrementalDelivery: false,
    fetch: (input, init) => send(session, input, init),
  });
  return { fetcher, socket };
}

async function send(session: Session, input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  const attempt = async (): Promise<Response> => {
    const headers = new Headers(init?.headers);
    // A header typed by hand into the Headers pane wins.
    if (!headers.has('Authorization')) {
      const authorization = await session.authorization();
      if (authorization) {
        headers.set('Authorization', authorization);
      }
    }
    return fetch(input, { ...init, headers });
  };
  let response = await attempt();
  if (response.status === 401 && session.snapshot().credential.kind === 'operator') {
    // Revoked, or this machine's clock is behind: one renewal, one more try.
    await session.renew();
    response = await attempt();
  }
  if (!(response.headers.get('Content-Type') ?? '').includes('json')) {
    throw new Error(`The server answered ${response.status} ${response.statusText} without JSON.`.replace('  ', ' '));
  }
  return response;
}
