// Package matrix holds the legacy dialects against each other: what is written in one of
// them is there in all the others, and in GraphQL, at once. There is nothing in it but
// its test.
package matrix
