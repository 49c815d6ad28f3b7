package imports

import "sello/loyalty"

// GlobalID is the import's opaque id.
func (i *Import) GlobalID() string { return loyalty.GlobalID("Import", i.ID.String()) }
