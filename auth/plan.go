package auth

import (
	"strings"

	"ghapp-proxy/github"
)

// Plan is how a Want would be served, as far as that can be said without
// asking GitHub.
type Plan struct {
	App          string                // "" if unknown
	Installation github.InstallationID // 0 if unknown
	How          string                // a phrase: "mapped in the configuration", …
}

// What How says where no App would be asked and none is chosen.
const (
	PlanAnonymous = "anonymous"
	PlanRefused   = "refused"
)

// Plan explains what Token would do. It asks nobody.
func (s *Source) Plan(instance github.Instance, want Want) Plan {
	want = want.ofScope()
	apps := s.candidatesFor(instance, &want)
	switch {
	case len(s.candidates(instance, want.App)) == 0:
		return Plan{How: "no App is configured for " + string(instance)}
	case len(apps) == 0: // none that may be taken
		return Plan{How: s.fallbackPlan(apps, want.Read)}
	}
	named := func(inst *installation, how string) Plan {
		return Plan{App: inst.Name, Installation: inst.id, How: how + inReserve(apps, Credential{inst: inst}, &want)}
	}
	owner := want.Owner
	if want.Installation != 0 {
		return named(chosen(apps, want.Installation), "chosen by a rule")
	}
	inst := mapped(apps, owner)
	if owner == (github.Account{}) {
		inst = home(apps)
	}
	differ := false // two that are mapped need no look-up to be told apart
	first := inst
	for _, other := range want.Others {
		theirs := mapped(apps, other)
		if inst != nil && (theirs == nil || theirs.key != inst.key) {
			inst = nil
		}
		differ = differ || first != nil && theirs != nil && theirs.key != first.key
	}
	switch {
	case inst != nil && owner == github.Account{}:
		return named(inst, "the default installation")
	case inst != nil:
		how := "mapped in the configuration"
		if m := inst.mappingFor(owner); m.key != "" { // an id's may not be known
			how += ", by " + m.key
		}
		return named(inst, how)
	case want.namesNobody() && len(apps) == 1:
		return Plan{App: apps[0].Name, How: "the App's only installation, if it has just one; else " + s.fallbackPlan(apps, want.Read)}
	}
	var asking []string
	for _, app := range apps {
		if !app.NoDiscovery && owner != (github.Account{}) && owner.TeamID == 0 && (owner.ByID() || owner.Plausible()) && !differ {
			asking = append(asking, app.Name)
		}
	}
	if len(asking) > 0 {
		how := "would be discovered (asking " + strings.Join(asking, ", ") + "); else " + s.fallbackPlan(apps, want.Read)
		if len(asking) > 1 && want.takesAny(apps) {
			how += "; in reserve: the others that cover it"
		}
		return Plan{How: how}
	}
	if inst := home(apps); inst != nil && s.fallback == FallbackDefault {
		how := "the default installation, as the fallback" + inReserve(apps, Credential{inst: inst, Fallback: true}, &want)
		return Plan{App: inst.Name, Installation: inst.id, How: how}
	}
	return Plan{How: s.fallbackPlan(apps, want.Read)}
}

// inReserve says which Apps stand in for the one that serves first.
func inReserve(apps []*appState, first Credential, want *Want) string {
	if !want.takesAny(apps) {
		return ""
	}
	others := standIns(apps, first.inst.of, first, want)
	if len(others) == 0 {
		return ""
	}
	return "; in reserve: " + strings.Join(names(others), ", ")
}

// fallbackPlan says what the Fallback makes of a request without installation.
func (s *Source) fallbackPlan(apps []*appState, read bool) string {
	switch {
	case s.fallback == FallbackDefault && home(apps) != nil:
		return "the default installation"
	case read && s.fallback != FallbackRefuse:
		return PlanAnonymous
	default:
		return PlanRefused
	}
}
