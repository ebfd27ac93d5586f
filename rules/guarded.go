package rules

import "strings"

// operation is a route that is refused unless the user means it.
type operation struct {
	method string
	path   []string // literal segments; "" matches any one
	name   string   // GitHub's operationId
	why    Refusal
}

// guardedOperations hand out a credential, or take one from everybody.
//
// Source: GitHub's OpenAPI descriptions of github.com, Enterprise Cloud and
// Enterprise Server (npm package @octokit/openapi 23), read operation by
// operation.
var guardedOperations = parseOperations(`
POST   /app/installations/*/access_tokens                        apps/create-installation-access-token
POST   /app-manifests/*/conversions                              apps/create-from-manifest
POST   /applications/*/token                                     apps/check-token
PATCH  /applications/*/token                                     apps/reset-token
POST   /applications/*/token/scoped                              apps/scope-token
POST   /orgs/*/actions/runners/registration-token                actions/create-registration-token-for-org
POST   /orgs/*/actions/runners/remove-token                      actions/create-remove-token-for-org
POST   /orgs/*/actions/runners/generate-jitconfig                actions/generate-runner-jitconfig-for-org
GET    /orgs/*/actions/runners/downloads                         actions/list-runner-applications-for-org
POST   /repos/*/*/actions/runners/registration-token             actions/create-registration-token-for-repo
POST   /repos/*/*/actions/runners/remove-token                   actions/create-remove-token-for-repo
POST   /repos/*/*/actions/runners/generate-jitconfig             actions/generate-runner-jitconfig-for-repo
GET    /repos/*/*/actions/runners/downloads                      actions/list-runner-applications-for-repo
POST   /repositories/*/actions/runners/registration-token        actions/create-registration-token-for-repo
POST   /repositories/*/actions/runners/remove-token              actions/create-remove-token-for-repo
POST   /repositories/*/actions/runners/generate-jitconfig        actions/generate-runner-jitconfig-for-repo
GET    /repositories/*/actions/runners/downloads                 actions/list-runner-applications-for-repo
POST   /organizations/*/actions/runners/registration-token       actions/create-registration-token-for-org
POST   /organizations/*/actions/runners/remove-token             actions/create-remove-token-for-org
POST   /organizations/*/actions/runners/generate-jitconfig       actions/generate-runner-jitconfig-for-org
GET    /organizations/*/actions/runners/downloads                actions/list-runner-applications-for-org
POST   /enterprises/*/actions/runners/registration-token         enterprise-admin/create-registration-token-for-enterprise
POST   /enterprises/*/actions/runners/remove-token               enterprise-admin/create-remove-token-for-enterprise
POST   /enterprises/*/actions/runners/generate-jitconfig         enterprise-admin/generate-runner-jitconfig-for-enterprise
GET    /enterprises/*/actions/runners/downloads                  enterprise-admin/list-runner-applications-for-enterprise
POST   /admin/users/*/authorizations                             enterprise-admin/create-impersonation-o-auth-token
GET    /admin/tokens                                             enterprise-admin/list-personal-access-tokens
GET    /setup/api/settings                                       enterprise-admin/get-settings
GET    /manage/v1/config/settings                                enterprise-admin/get-manage-settings
GET    /authorizations                                           oauth-authorizations/list-authorizations
POST   /authorizations                                           oauth-authorizations/create-authorization
PUT    /authorizations/clients/*                                 oauth-authorizations/get-or-create-authorization-for-app
PUT    /authorizations/clients/*/*                               oauth-authorizations/get-or-create-authorization-for-app-and-fingerprint
GET    /authorizations/*                                         oauth-authorizations/get-authorization
PATCH  /authorizations/*                                         oauth-authorizations/update-authorization
GET    /orgs/*/secret-scanning/alerts                            secret-scanning/list-alerts-for-org
GET    /enterprises/*/secret-scanning/alerts                     secret-scanning/list-alerts-for-enterprise
GET    /repos/*/*/secret-scanning/alerts                         secret-scanning/list-alerts-for-repo
GET    /repos/*/*/secret-scanning/alerts/*                       secret-scanning/get-alert
PATCH  /repos/*/*/secret-scanning/alerts/*                       secret-scanning/update-alert
GET    /organizations/*/secret-scanning/alerts                   secret-scanning/list-alerts-for-org
GET    /repositories/*/secret-scanning/alerts                    secret-scanning/list-alerts-for-repo
GET    /repositories/*/secret-scanning/alerts/*                  secret-scanning/get-alert
PATCH  /repositories/*/secret-scanning/alerts/*                  secret-scanning/update-alert
DELETE /installation/token                                       apps/revoke-installation-access-token
`)

func parseOperations(table string) []operation {
	var ops []operation
	for line := range strings.Lines(strings.TrimSpace(table)) {
		fields := strings.Fields(line)
		op := operation{method: fields[0], name: fields[2], why: RefusedHandsOut}
		if op.method == "DELETE" {
			op.why = RefusedRevoke
		}
		for s := range strings.SplitSeq(fields[1][1:], "/") {
			op.path = append(op.path, strings.TrimPrefix(s, "*"))
		}
		ops = append(ops, op)
	}
	return ops
}

// guarded returns the guarded operation that the request is, or nil.
func guarded(method string, path *segments) *operation {
	if method == "HEAD" {
		method = "GET"
	}
	for i := range guardedOperations {
		if op := &guardedOperations[i]; op.method == method && op.matches(path) {
			return op
		}
	}
	return nil
}

func (op *operation) matches(path *segments) bool {
	if path.n != len(op.path) {
		return false
	}
	for i, word := range op.path {
		if word != "" && !path.is(i, word) {
			return false
		}
	}
	return true
}
