package ledger

// EndOf is endOf, for tests that hold it against PostgreSQL's zones.
var EndOf = endOf
