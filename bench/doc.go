// Package bench is the load and fault harness behind `sello bench` and the
// end-to-end tests. It treats the program as a black box: it starts the binary
// as processes of its own, on a database of their own, speaks to them over HTTP
// and websockets as anybody would, kills them, and then checks the outcome
// against a model that it kept itself. A run whose outcome is wrong has no rate.
//
// Rates belong to the machine they were measured on. What is meant to be kept
// are ratios inside one run, CPU time per operation, and the share of the machine
// that others took meanwhile (Foreign): above a sixth of it, measure again.
package bench
