package rules

import "ghapp-proxy/github"

// addPathOthers adds whom the path names besides its subject; plain reports that it
// is the operation's as it was sent.
func (route *Route) addPathOthers(path *github.Path, op *restOperation, plain bool) {
	if len(op.others) > 0 && !plain {
		route.Unclear = true
		return
	}
	for _, other := range op.others {
		route.addPathOther(path, other)
	}
}

func (route *Route) addPathOther(path *github.Path, other pathOther) {
	name := github.Unescape(path.Segments[other.at])
	var s github.Account
	switch other.names {
	case namesRepository:
		s = github.ParseFullName(name + "/" + github.Unescape(path.Segments[other.at+1]))
	case namesRepositoryID:
		s.RepositoryID = github.ParseID(name)
	case namesOwnersRepository:
		s = route.repositoryNamed(name)
	case namesAccount:
		if github.IsLogin(name) {
			s.Login = name
		}
	}
	if !s.Named() {
		route.Unclear = true
		return
	}
	route.addOther(s)
}
