package github

// Reach is how far the answer to a request may lead from whom it names.
type Reach uint8

const (
	ReachNamed  Reach = iota // to whom the request names, and nobody else
	ReachOwners              // to other repositories of their owners as well
	ReachAny                 // to anybody
)
