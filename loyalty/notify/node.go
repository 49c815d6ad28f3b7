package notify

import "sello/loyalty"

// GlobalID is the message's opaque id.
func (n *Notification) GlobalID() string { return loyalty.GlobalID("Notification", n.ID.String()) }
