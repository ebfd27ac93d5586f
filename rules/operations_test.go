package rules_test

// Lists of operationIds, read from GitHub's documentation, not from the table.

// jwtIDs are authenticated as the App: 23 of Enterprise Cloud, 22 of github.com
// (without enterprises), 16 of Enterprise Server (and without Marketplace).
var jwtIDs = set(
	"apps/get-authenticated",
	"apps/get-webhook-config-for-app",
	"apps/update-webhook-config-for-app",
	"apps/list-webhook-deliveries",
	"apps/get-webhook-delivery",
	"apps/redeliver-webhook-delivery",
	"apps/list-installation-requests-for-authenticated-app",
	"apps/list-installations",
	"apps/get-installation",
	"apps/delete-installation",
	"apps/create-installation-access-token",
	"apps/suspend-installation",
	"apps/unsuspend-installation",
	"apps/get-org-installation",
	"apps/get-repo-installation",
	"apps/get-user-installation",
	"apps/get-enterprise-installation",
	"apps/get-subscription-plan-for-account",
	"apps/get-subscription-plan-for-account-stubbed",
	"apps/list-plans",
	"apps/list-plans-stubbed",
	"apps/list-accounts-for-plan",
	"apps/list-accounts-for-plan-stubbed",
)

// basicIDs take the App's client id and secret.
var basicIDs = set(
	"apps/check-token",
	"apps/reset-token",
	"apps/delete-token",
	"apps/scope-token",
	"apps/delete-authorization",
)

// noneIDs take no credential.
var noneIDs = set("apps/create-from-manifest", "credentials/revoke")

// handsOutIDs are answered with a credential.
var handsOutIDs = set(
	"apps/create-installation-access-token",
	"apps/create-from-manifest",
	"apps/check-token",
	"apps/reset-token",
	"apps/scope-token",
	"actions/create-registration-token-for-org",
	"actions/create-registration-token-for-repo",
	"enterprise-admin/create-registration-token-for-enterprise",
	"actions/create-remove-token-for-org",
	"actions/create-remove-token-for-repo",
	"enterprise-admin/create-remove-token-for-enterprise",
	"actions/generate-runner-jitconfig-for-org",
	"actions/generate-runner-jitconfig-for-repo",
	"actions/generate-runner-jitconfig-for-enterprise",
	"actions/list-runner-applications-for-org",
	"actions/list-runner-applications-for-repo",
	"enterprise-admin/list-runner-applications-for-enterprise",
	"enterprise-admin/create-impersonation-o-auth-token",
	"enterprise-admin/list-personal-access-tokens",
	"enterprise-admin/get-manage-settings",
	"oauth-authorizations/list-authorizations",
	"oauth-authorizations/create-authorization",
	"oauth-authorizations/get-or-create-authorization-for-app",
	"oauth-authorizations/get-or-create-authorization-for-app-and-fingerprint",
	"oauth-authorizations/get-authorization",
	"oauth-authorizations/update-authorization",
	"secret-scanning/list-alerts-for-org",
	"secret-scanning/list-alerts-for-repo",
	"secret-scanning/list-alerts-for-enterprise",
	"secret-scanning/get-alert",
	"secret-scanning/update-alert",
)

const revokeID = "apps/revoke-installation-access-token"

// guardedIDs are refused unless a rule allows them, whatever the edition.
var guardedIDs = func() map[string]bool {
	all := set(revokeID)
	for id := range handsOutIDs {
		all[id] = true
	}
	return all
}()

func set(ids ...string) map[string]bool {
	m := map[string]bool{}
	for _, id := range ids {
		m[id] = true
	}
	return m
}
