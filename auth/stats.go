package auth

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"ghapp-proxy/github"
	"ghapp-proxy/governor"
)

// Stats are what there is to say about a Source at one moment. There is no secret in
// them, and they are the caller's.
type Stats struct {
	Instances []InstanceStats
	Apps      []AppStats // by host, in the order given to New
}

// InstanceStats are what is known of a GitHub instance.
type InstanceStats struct {
	Host    string
	Reached time.Time     // when it answered last, zero for never
	Missed  time.Time     // when it could not be asked last, zero for never
	Problem *Error        // why not
	Offset  time.Duration // of its clock to ours, 0 up to two seconds
}

// AppStats are what is known of an App, and what it has asked GitHub since the start.
type AppStats struct {
	Name, Host string
	Checked    time.Time // when GitHub said last whether it takes the App for what it is, zero for never
	Problem    *Error    // why it does not; nil if it does, or was not asked

	Mints, LookUps map[string]uint64 // "ok", "refused", … → how many
	Retries        map[string]uint64 // what became of a call before it was made again → how many
	Heals          map[string]uint64 // what GitHub complained of before a request was sent again → how many

	Tokens        int                 // that are kept
	Installations []InstallationStats // of which anything is known, by id
	Wrong         []*MappingError     // what the configuration says and GitHub does not
}

// InstallationStats are what is known of an installation.
type InstallationStats struct {
	ID      github.InstallationID
	Account string    // where it is, "" if that is not known
	Tokens  int       // that are kept
	Minted  time.Time // when the newest of them was; zero for none
	Expires time.Time // when that ends
	Quotas  []QuotaStats
	Held    governor.BucketStats // what waits for GitHub's limits
}

// Stats says how the Source is.
func (s *Source) Stats() Stats {
	var stats Stats
	tokens := s.tokens.byInstallation()
	for host, clock := range s.clocks {
		c := &clock.contact
		instance := InstanceStats{Host: string(host), Offset: clock.skew()}
		if at := c.reached.Load(); at != 0 {
			instance.Reached = time.Unix(0, at)
		}
		if missed := c.missed.Load(); missed != nil {
			instance.Missed, instance.Problem = missed.at, problemOf(missed)
		}
		stats.Instances = append(stats.Instances, instance)
		for _, app := range s.apps[host] {
			stats.Apps = append(stats.Apps, app.stats(tokens))
		}
	}
	slices.SortFunc(stats.Instances, func(a, b InstanceStats) int { return cmp.Compare(a.Host, b.Host) })
	slices.SortStableFunc(stats.Apps, func(a, b AppStats) int { return cmp.Compare(a.Host, b.Host) })
	return stats
}

// byInstallation are the tokens of this process: minter.filed → what there is to say of
// them.
func (t *tokens) byInstallation() map[string]InstallationStats {
	all := make(map[string]InstallationStats)
	t.issued.each(func(_ string, token issued) {
		of := all[token.by.filed]
		of.Tokens++
		if token.minted.After(of.Minted) {
			of.Minted, of.Expires = token.minted, token.expires
		}
		all[token.by.filed] = of
	})
	return all
}

func (a *appState) stats(tokens map[string]InstallationStats) AppStats {
	stats := AppStats{
		Name: a.Name, Host: string(a.Instance),
		Mints: named(a.counts.mints[:], outcomeNames[:]), LookUps: named(a.counts.lookups[:], outcomeNames[:]),
		Retries: named(a.counts.retries[:], outcomeNames[:]), Heals: named(a.counts.heals[:], complaintNames[:]),
	}
	if last := a.standing.last.Load(); last != nil {
		stats.Checked, stats.Problem = last.at, problemOf(last)
	}
	accounts, quotas := a.accounts(), a.quotas.snapshot(a.clock.now())
	for id := range quotas {
		if _, known := accounts[id]; !known {
			accounts[id] = ""
		}
	}
	for id, account := range accounts {
		inst := tokens[filedUnder(a.App, id)]
		inst.ID, inst.Account, inst.Quotas = id, account, quotas[id]
		inst.Held = a.quotas.held(id)
		stats.Tokens += inst.Tokens
		stats.Installations = append(stats.Installations, inst)
	}
	slices.SortFunc(stats.Installations, func(a, b InstallationStats) int { return cmp.Compare(a.ID, b.ID) })
	for id, inst := range a.ids {
		for _, owner := range inst.owners {
			if wrong := inst.wrongly(owner, accounts[id]); wrong != nil {
				stats.Wrong = append(stats.Wrong, wrong)
			}
		}
	}
	slices.SortFunc(stats.Wrong, func(a, b *MappingError) int { return cmp.Compare(a.Key, b.Key) })
	return stats
}

func problemOf(r *report) *Error {
	e, _ := errors.AsType[*Error](r.err)
	return e
}

// accounts are the installations of which anything is known: id → where GitHub says
// that each is, "" if it has not.
func (a *appState) accounts() map[github.InstallationID]string {
	all := make(map[github.InstallationID]string)
	for id := range a.ids {
		all[id] = ""
	}
	a.known.each(func(key string, f found) {
		if f.inst == nil || f.inst.gone.Load() {
			return
		}
		owner, _, _ := strings.Cut(key, "/") // of a repository
		switch slug, enterprise := strings.CutPrefix(owner, "enterprise:"); {
		case enterprise:
			all[f.inst.id] = github.Account{Login: slug, Enterprise: true}.String()
		case github.IsLogin(owner):
			all[f.inst.id] = owner
		case all[f.inst.id] == "":
			all[f.inst.id] = cmp.Or(f.login, strings.ToLower(f.named.Login))
		}
	})
	for id, inst := range a.ids {
		if account := inst.account.Load(); account != nil {
			all[id] = account.String()
		}
	}
	return all
}

// wrongly says that the configuration gives an owner an installation on another account, by
// what is known without asking.
func (i *installation) wrongly(owner github.Account, account string) *MappingError {
	if account == "" || strings.EqualFold(account, owner.String()) {
		return nil
	}
	on := github.Account{Login: account}
	if slug, enterprise := strings.CutPrefix(account, "enterprises/"); enterprise {
		on = github.Account{Login: slug, Enterprise: true}
	}
	return &MappingError{Key: i.of.settingFor(owner), Installation: i.id, Owner: owner, Account: on}
}

// named gives numbers that are not zero their names.
func named(counters []atomic.Uint64, names []string) map[string]uint64 {
	all := make(map[string]uint64)
	for i := range counters {
		if n := counters[i].Load(); n > 0 {
			all[names[i]] = n
		}
	}
	return all
}

// Probe asks GitHub whether it takes each App for what it is, unless that is known for
// less than an age, from this or any other call. Where the instance has not answered
// for as long, its first App is asked.
func (s *Source) Probe(ctx context.Context, age time.Duration) {
	for host, apps := range s.apps {
		silent := time.Since(time.Unix(0, s.clocks[host].contact.reached.Load())) >= age
		for i, app := range apps {
			last := app.standing.last.Load()
			if silent && i == 0 || last == nil || last.err != nil || time.Since(last.at) >= age {
				app.probe(ctx)
			}
		}
	}
}

// probe is docs.github.com "Get the authenticated app". What comes of it is noted.
func (a *appState) probe(ctx context.Context) {
	_, _ = once(ctx, a.flights, "probe|"+a.prefix, func(ctx context.Context) (ignored struct{}, err error) {
		call := apiCall{method: http.MethodGet, path: "/app", action: "see whether GitHub knows the App"}
		return ignored, a.do(ctx, call, &ignored)
	})
}
