package sandbox

import (
	"path/filepath"
	"strings"
)

// stores are where users' tools keep what lets them in elsewhere, below the home.
var stores = []string{
	".config/gh", ".config/hub", ".config/glab-cli", ".config/ghapp-proxy", ".local/state/ghapp-proxy",
	".git-credentials", ".config/git/credentials", ".git-credential-cache", ".cache/git/credential", ".netrc", "_netrc", ".authinfo", ".authinfo.gpg",
	".ssh", ".gnupg", ".pki", ".password-store", ".local/share/keyrings", ".local/share/kwalletd", ".config/op", ".1password", ".config/Bitwarden CLI",
	".aws", ".azure", ".config/gcloud", ".config/doctl", ".config/hcloud", ".oci", ".kube", ".config/helm", ".minikube", ".terraform.d/credentials.tfrc.json", ".vault-token", ".config/rclone", ".s3cfg", ".boto",
	".docker", ".config/containers/auth.json", ".local/share/docker", ".local/share/containers",
	".npmrc", ".yarnrc", ".yarnrc.yml", ".pypirc", ".config/pip", ".pip", ".gem/credentials", ".local/share/gem/credentials", ".bundle/config", ".cargo/credentials", ".cargo/credentials.toml",
	".m2/settings.xml", ".m2/settings-security.xml", ".gradle/gradle.properties", ".config/composer/auth.json", ".composer/auth.json", ".nuget/NuGet/NuGet.Config", ".config/NuGet",
	".pgpass", ".my.cnf", ".mylogin.cnf", ".config/sops",
	".bash_history", ".zsh_history", ".local/share/fish/fish_history", ".python_history", ".node_repl_history",
	".mozilla", ".config/google-chrome", ".config/chromium", ".config/BraveSoftware", ".config/microsoft-edge", ".thunderbird", ".Xauthority", ".ICEauthority",
}

// systemStores are such files of the system's: root inside is who may read root's files.
var systemStores = []string{
	"/etc/ghapp-proxy", "/var/lib/ghapp-proxy", "/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/ssl/private", "/etc/pki/tls/private",
	"/etc/sudoers", "/etc/sudoers.d", "/etc/krb5.keytab", "/etc/kubernetes", "/etc/rancher", "/etc/docker/key.json", "/etc/wireguard", "/etc/NetworkManager/system-connections", "/etc/openvpn",
	"/etc/ssh/ssh_host_rsa_key", "/etc/ssh/ssh_host_ecdsa_key", "/etc/ssh/ssh_host_ed25519_key",
	"/var/lib/docker", "/var/lib/containerd", "/var/lib/kubelet", "/var/lib/rancher", "/var/lib/lxd", "/var/lib/incus", "/var/lib/libvirt", "/var/lib/sss", "/var/lib/NetworkManager",
	"/var/spool/cron", "/var/log", "/var/backups", "/var/mail", "/var/spool/mail",
}

// Hidden are files and directories that a command is not shown unless it is asked for: credentials, of
// a user with that home and of the system.
func Hidden(home string) []string {
	list := append([]string(nil), systemStores...)
	if home != "" {
		for _, name := range stores {
			list = append(list, filepath.Join(home, name))
		}
	}
	return list
}

// moved are variables that say where such files are instead, and what of that is hidden.
var moved = map[string][]string{
	"GH_CONFIG_DIR": {""}, "GLAB_CONFIG_DIR": {""}, "NETRC": {""}, "GNUPGHOME": {""}, "PASSWORD_STORE_DIR": {""}, "XAUTHORITY": {""}, "HISTFILE": {""},
	"AWS_SHARED_CREDENTIALS_FILE": {""}, "AWS_CONFIG_FILE": {""}, "AWS_WEB_IDENTITY_TOKEN_FILE": {""}, "AZURE_CONFIG_DIR": {""}, "AZURE_FEDERATED_TOKEN_FILE": {""},
	"CLOUDSDK_CONFIG": {""}, "GOOGLE_APPLICATION_CREDENTIALS": {""}, "KUBECONFIG": {""}, "DOCKER_CONFIG": {""}, "REGISTRY_AUTH_FILE": {""}, "SOPS_AGE_KEY_FILE": {""},
	"NPM_CONFIG_USERCONFIG": {""}, "npm_config_userconfig": {""}, "PIP_CONFIG_FILE": {""}, "PGPASSFILE": {""},
	"CARGO_HOME": {"credentials", "credentials.toml"}, "COMPOSER_HOME": {"auth.json"}, "GRADLE_USER_HOME": {"gradle.properties"},
	"XDG_CONFIG_HOME": storesBelow(".config/"), "XDG_DATA_HOME": storesBelow(".local/share/"), "XDG_STATE_HOME": storesBelow(".local/state/"), "XDG_CACHE_HOME": storesBelow(".cache/"),
}

func storesBelow(dir string) (names []string) {
	for _, store := range stores {
		if name, ok := strings.CutPrefix(store, dir); ok {
			names = append(names, name)
		}
	}
	return names
}

// Moved are those of the credentials that the environment says are elsewhere.
func Moved(getenv func(string) string) (list []string) {
	for variable, names := range moved {
		for _, dir := range filepath.SplitList(getenv(variable)) { // KUBECONFIG is a list
			if !filepath.IsAbs(dir) {
				continue
			}
			for _, name := range names {
				list = append(list, filepath.Join(dir, name))
			}
		}
	}
	return list
}

// Variables lead to what is outside: sockets, and directories that are hidden.
var Variables = []string{
	"SSH_AUTH_SOCK", "SSH_AGENT_PID", "GPG_AGENT_INFO", "GNOME_KEYRING_CONTROL", "DBUS_SESSION_BUS_ADDRESS", "DBUS_SYSTEM_BUS_ADDRESS",
	"DOCKER_HOST", "CONTAINER_HOST", "BUILDKIT_HOST", "XDG_RUNTIME_DIR", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "ICEAUTHORITY", "SESSION_MANAGER", "PULSE_SERVER",
	"TMUX", "STY", "VSCODE_IPC_HOOK_CLI", "VSCODE_GIT_IPC_HANDLE", "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "TMPDIR", "TMP", "TEMP",
	"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN",
	"AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE", "ARM_CLIENT_SECRET", "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CREDENTIALS", "CLOUDSDK_AUTH_ACCESS_TOKEN",
	"VAULT_TOKEN", "KUBECONFIG", "OP_SERVICE_ACCOUNT_TOKEN", "OP_SESSION", "NPM_TOKEN", "NODE_AUTH_TOKEN", "CARGO_REGISTRY_TOKEN", "TWINE_PASSWORD", "GITLAB_TOKEN", "CI_JOB_TOKEN",
}
