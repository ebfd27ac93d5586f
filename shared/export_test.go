package shared

// MaxSet is maxSet.
const MaxSet = maxSet
