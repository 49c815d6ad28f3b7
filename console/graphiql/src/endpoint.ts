/**
 * The GraphQL endpoint: the page's neighbour on the same host, so the explorer
 * served at /graphiql/ talks to /graphql, and keeps a proxy's path prefix.
 */
export const endpoint = new URL('../graphql', document.baseURI);
endpoint.search = '';
endpoint.hash = '';

/** The same address for subscriptions: ws where the page is http, wss where it is https. */
export const socketEndpoint = new URL(endpoint);
socketEndpoint.protocol = endpoint.protocol === 'https:' ? 'wss:' : 'ws:';
