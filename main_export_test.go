package main

// Main is the program, for the end-to-end tests, whose test binary plays it.
var Main = main
