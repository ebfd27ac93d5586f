package admin

import (
	"cmp"
	"runtime"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// maxInstallations is of how many installations of each App the metrics tell: those
// whose quota or token is nearest its end.
const maxInstallations = 100

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
}

// What is asked at each scrape.
var (
	requestsOpen = describe("requests_in_flight", "Requests that are under way, CONNECTs included.")
	tunnelsOpen  = describe("tunnels_open", "Tunnels that are open.")
	recordsLost  = describe("audit_records_lost_total", "Records that the audit log could not be given.")
	linesLeft    = describe("log_lines_left_out_total", "Lines that were left out of the log because there were many alike.")
	draining     = describe("draining", "1 if the proxy is about to end, else 0.")

	grantsRevoked = describe("grants_revoked", "Grants that are revoked, each with all that were made from it.")

	clientConnections = describe("client_connections", "Connections of a client that are open.", "client")
	clientRequests    = describe("client_requests_in_flight", "Requests of a client that are under way.", "client")
	clientWaiting     = describe("client_queue_length", "Requests and connections of a client that wait for their turn.", "client")

	mints         = describe("mints_total", "Installation tokens that GitHub was asked for, by what became of it.", "app", "host", "result")
	lookUps       = describe("lookups_total", "Other questions to GitHub, by what became of them; not_found is an answer.", "app", "host", "result")
	retries       = describe("call_retries_total", "Questions to GitHub that were asked again, by why.", "app", "host", "cause")
	heals         = describe("heals_total", "Requests that were sent again because of the credential, by what GitHub complained of.", "app", "host", "cause")
	appUsable     = describe("app_usable", "1 if GitHub takes the App for what it is, 0 if not, or if it has not been asked.", "app", "host")
	tokensKept    = describe("tokens", "Installation tokens that are kept.", "app", "host")
	mappingsWrong = describe("mapping_errors", "Owners to whom the configuration gives the installation on another account.", "app", "host")

	tokenAge       = describe("token_age_seconds", "Age of an installation's newest token.", "app", "installation", "account")
	quotaLimit     = describe("quota_limit", "Requests that GitHub allows an installation until the reset.", "app", "installation", "account", "resource")
	quotaRemaining = describe("quota_remaining", "Requests that are left of that.", "app", "installation", "account", "resource")
	quotaReset     = describe("quota_reset_timestamp_seconds", "When GitHub starts to count anew.", "app", "installation", "account", "resource")

	githubContact = describe("github_last_contact_timestamp_seconds", "When GitHub answered last, 0 for never.", "host")
	githubUp      = describe("github_up", "1 if GitHub answered when it was last asked, else 0.", "host")
	githubOffset  = describe("github_clock_offset_seconds", "How far GitHub's clock is ahead of this machine's; 0 up to two seconds.", "host")

	cacheAnswers  = describe("cache_answers_total", "Answers of the REST API that may be kept: hit and validated after GitHub's 304, shared with another request, or a miss.", "result")
	cacheBytes    = describe("cache_bytes_saved_total", "Bytes of answers that GitHub did not send because of the cache.")
	cacheQuota    = describe("cache_quota_saved_total", "Requests that cost nothing of a rate limit because of the cache.")
	cacheEvicted  = describe("cache_evictions_total", "Answers that made room for others.")
	cacheRecalled = describe("cache_recalled_total", "Answers that another replica had kept, with cache.shared.")
	cacheKept     = describe("cache_entries", "Answers that are kept.")
	cacheUsed     = describe("cache_used_bytes", "Memory that answers take.")
	cacheSize     = describe("cache_size_bytes", "Memory that answers may take, 0 where none are kept.")
	cacheQuiet    = describe("cache_quiet", "1 if nothing is kept for a while because GitHub's ETags are not what they should be, else 0.")

	sharedUp      = describe("shared_up", "1 if the store that replicas share answers, else 0.")
	sharedDowns   = describe("shared_outages_total", "How often it was away.")
	sharedClaims  = describe("shared_claims_total", "Questions that one replica answers for all, by what became of them: another's answer, a lease to answer it, or that nobody could tell.", "result")
	sharedSlow    = describe("shared_slow_total", "Answers of the store that came too late.")
	sharedLost    = describe("shared_writes_lost_total", "Values that could not be written to the store.")
	sharedDropped = describe("shared_values_dropped_total", "Values of the store that did not open, or meant nothing.")

	governorWaited  = describe("governor_waits_total", "Requests that waited for a limit of GitHub's, by the limit.", "limit")
	governorRefused = describe("governor_refusals_total", "Requests that were refused in GitHub's place, by the limit.", "limit")
	governorSeconds = describe("governor_wait_seconds_total", "Time that requests waited for GitHub's limits, all together.")
	governorWaiting = describe("governor_waiting", "Requests that wait for the limits of an installation.", "app", "installation", "account")
	governorUsed    = describe("governor_used", "How much of a secondary limit of an installation is used.", "app", "installation", "account", "limit")
	governorLimit   = describe("governor_limit", "What that limit is.", "app", "installation", "account", "limit")

	reloads      = describe("config_reloads_total", "Configurations that were read, the first included, by whether they were put in force.", "result")
	reloadOK     = describe("config_last_reload_successful", "1 if the configuration that was read last is in force, else 0.")
	reloadTime   = describe("config_last_reload_success_timestamp_seconds", "When the configuration in force was put there.")
	restartKeys  = describe("config_restart_pending", "Keys of the configuration that wait for a restart.")
	authorityEnd = describe("ca_expiry_timestamp_seconds", "When a CA of the proxy's ends.", "ca")
)

// stateCollector makes metrics of a State.
type stateCollector struct{ state func() State }

// Describe implements prometheus.Collector.
func (c stateCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		requestsOpen, tunnelsOpen, recordsLost, linesLeft, draining, grantsRevoked, clientConnections, clientRequests, clientWaiting,
		mints, lookUps, retries, heals, appUsable, tokensKept, mappingsWrong, tokenAge, quotaLimit, quotaRemaining, quotaReset,
		githubContact, githubUp, githubOffset, cacheAnswers, cacheBytes, cacheQuota, cacheEvicted, cacheRecalled, cacheKept, cacheUsed, cacheSize, cacheQuiet,
		governorWaited, governorRefused, governorSeconds, governorWaiting, governorUsed, governorLimit, sharedUp, sharedDowns, sharedClaims, sharedSlow, sharedLost, sharedDropped, reloads, reloadOK, reloadTime, restartKeys, authorityEnd,
	} {
		out <- d
	}
}

// sample sends metrics.
type sample chan<- prometheus.Metric

func (s sample) gauge(d *prometheus.Desc, value float64, labels ...string) {
	s <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}

func (s sample) counter(d *prometheus.Desc, value float64, labels ...string) {
	s <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, value, labels...)
}

func (s sample) counters(d *prometheus.Desc, values map[string]uint64, labels ...string) {
	for name, n := range values {
		s.counter(d, float64(n), slices.Concat(labels, []string{name})...)
	}
}

// Collect implements prometheus.Collector.
func (c stateCollector) Collect(out chan<- prometheus.Metric) {
	state, s := c.state(), sample(out)
	s.gauge(requestsOpen, float64(state.Requests))
	s.gauge(tunnelsOpen, float64(state.Tunnels))
	s.counter(recordsLost, float64(state.RecordsLost))
	s.counter(linesLeft, float64(state.LinesLeft))
	s.gauge(draining, one(state.Draining))
	s.gauge(grantsRevoked, float64(state.Grants.Revoked))
	for _, client := range state.Clients {
		name := clientOf(client.Name)
		s.gauge(clientConnections, float64(client.Connections), name)
		s.gauge(clientRequests, float64(client.Requests), name)
		s.gauge(clientWaiting, float64(client.Waiting), name)
	}
	for i := range state.Apps {
		s.app(&state.Apps[i])
	}
	for _, g := range state.GitHubs {
		s.gauge(githubContact, seconds(g.Reached), g.Host)
		s.gauge(githubUp, one(!g.Reached.IsZero() && !g.Missed.After(g.Reached)), g.Host)
		s.gauge(githubOffset, g.Offset.Seconds(), g.Host)
	}
	s.cache(&state.Cache)
	s.counters(governorWaited, state.Governor.Waited)
	s.counters(governorRefused, state.Governor.Refused)
	s.counter(governorSeconds, state.Governor.Waiting.Seconds())
	if state.Shared != nil {
		s.shared(state.Shared)
	}
	s.counter(reloads, float64(state.Reload.Read), "ok")
	s.counter(reloads, float64(state.Reload.Failures), "failed")
	s.gauge(reloadOK, one(state.Reload.Problem == ""))
	s.gauge(reloadTime, seconds(state.Reload.Since))
	s.gauge(restartKeys, float64(len(state.Reload.Restart)))
	for _, ca := range state.Authorities {
		s.gauge(authorityEnd, seconds(ca.Expires), ca.Name)
	}
}

func (s sample) shared(h *Shared) {
	s.gauge(sharedUp, one(!h.Away))
	s.counter(sharedDowns, float64(h.Downs))
	s.counter(sharedClaims, float64(h.Values), "value")
	s.counter(sharedClaims, float64(h.Leases), "lease")
	s.counter(sharedClaims, float64(h.Alone), "alone")
	s.counter(sharedSlow, float64(h.Slow))
	s.counter(sharedLost, float64(h.Lost))
	s.counter(sharedDropped, float64(h.Dropped))
}

func (s sample) cache(c *Cache) {
	s.counters(cacheAnswers, map[string]uint64{"hit": c.Hits, "validated": c.Validated, "shared": c.Shared, "miss": c.Misses})
	s.counter(cacheBytes, float64(c.BytesSaved))
	s.counter(cacheQuota, float64(c.QuotaSaved))
	s.counter(cacheEvicted, float64(c.Evicted))
	s.counter(cacheRecalled, float64(c.Recalled))
	s.gauge(cacheKept, float64(c.Answers))
	s.gauge(cacheUsed, float64(c.Used))
	s.gauge(cacheSize, float64(c.Size))
	s.gauge(cacheQuiet, one(c.Quiet))
}

func (s sample) app(app *App) {
	s.counters(mints, app.Mints, app.Name, app.Host)
	s.counters(lookUps, app.LookUps, app.Name, app.Host)
	s.counters(retries, app.Retries, app.Name, app.Host)
	s.counters(heals, app.Heals, app.Name, app.Host)
	s.gauge(appUsable, one(app.Problem == "" && !app.Checked.IsZero()), app.Name, app.Host)
	s.gauge(tokensKept, float64(app.Tokens), app.Name, app.Host)
	s.gauge(mappingsWrong, float64(len(app.Wrong)), app.Name, app.Host)
	for _, inst := range nearestTheEnd(app.Installations) {
		labels := []string{app.Name, int64Text(inst.ID), inst.Account}
		if !inst.Minted.IsZero() {
			s.gauge(tokenAge, time.Since(inst.Minted).Seconds(), labels...)
		}
		s.gauge(governorWaiting, float64(inst.Waiting), labels...)
		for _, u := range inst.Used {
			each := append(slices.Clone(labels), u.Limit)
			s.gauge(governorUsed, float64(u.Used), each...)
			s.gauge(governorLimit, float64(u.Most), each...)
		}
		for _, q := range inst.Quotas {
			each := append(slices.Clone(labels), q.Resource)
			s.gauge(quotaLimit, float64(q.Limit), each...)
			s.gauge(quotaRemaining, float64(q.Remaining), each...)
			s.gauge(quotaReset, seconds(q.Reset), each...)
		}
	}
}

// nearestTheEnd are maxInstallations at most that are in use: those first of whose
// quota the least is left.
func nearestTheEnd(all []Installation) []Installation {
	used := slices.DeleteFunc(slices.Clone(all), func(i Installation) bool { return i.Minted.IsZero() && len(i.Quotas) == 0 })
	slices.SortStableFunc(used, func(a, b Installation) int { return cmp.Compare(a.left(), b.left()) })
	return used[:min(len(used), maxInstallations)]
}

// left is the least share that is left of an installation's quotas.
func (i *Installation) left() float64 {
	least := 1.0
	for n := range i.Quotas {
		least = min(least, i.Quotas[n].share())
	}
	return least
}

func newBuildInfo(version string) prometheus.Collector {
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "1, with the version of the build.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	})
	g.Set(1)
	return g
}
