// Package gqlhttp is the HTTP edge in front of a gqlgen schema: GraphQL over
// HTTP (GET and POST), graphql-transport-ws and server-sent events, with the
// limits that the executor itself does not have.
//
// It uses gqlgen's executor and none of its transports. Those echo request
// bodies, answer a too large body with status 200, write "data": null into
// request errors, have no write deadlines and speak the older websocket
// protocol when nobody asks for one; and gqlgen's complexity walk follows
// fragment spreads without memory, so a document of 1 KiB keeps a core busy for
// minutes. The order of the checks is therefore part of the package:
//
//  1. bytes: method, media type, origin, size, UTF-8, one strict JSON object;
//  2. tokens: one pass of the lexer over the document, before it is parsed;
//  3. the parsed document: fields and depth with every fragment expanded,
//     computed once for each fragment;
//  4. gqlgen's complexity, which is safe only behind 3;
//  5. execution under a deadline.
//
// The package knows nothing about sign-in, principals or the schema: they come
// in as functions of [Config].
package gqlhttp
