package rules

import "ghapp-proxy/github"

// pathOther is where a path names somebody besides its subject.
type pathOther struct {
	names naming
	at    int // the segment
}

// othersOf finds whom the path of an operation names after the one that it is about:
// the repository that a team gets, that a secret is for, or that is unlocked.
func othersOf(path string, subject naming, at int) (others []pathOther) {
	if subject == namesNobody {
		return nil
	}
	if subject == namesRepository {
		at++ // its name
	}
	i := 0
	for _, rest := github.CutSegment(path); rest != ""; {
		var word string
		word, rest = github.CutSegment(rest)
		if i++; i <= at {
			continue
		}
		switch word {
		case "{owner}", "{repo_owner}":
			others = append(others, pathOther{namesRepository, i})
		case "{repository_id}":
			others = append(others, pathOther{namesRepositoryID, i})
		case "{repo_name}":
			if n := len(others); n == 0 || others[n-1].at != i-1 {
				others = append(others, pathOther{namesOwnersRepository, i})
			}
		case "{org}":
			others = append(others, pathOther{namesAccount, i})
		}
	}
	return others
}

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
		s = route.ofOwner(name)
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
