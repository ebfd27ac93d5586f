package config

import (
	"strings"
	"testing"
	"time"
)

func TestShared(t *testing.T) {
	cfg, errText := load(t, minimal+"[shared]\nurl = \"redis://127.0.0.1:1/2\"\nprefix = \"a:b\"\npatience = \"5ms\"\n", nil)
	if s := cfg.Shared; errText != "" || s.URL != "redis://127.0.0.1:1/2" || s.Prefix != "a:b" || s.Patience != 5*time.Millisecond || s.Timeout != 0 || s.Secrets != nil {
		t.Errorf("Load = %+v, %s", s, errText)
	}
	cfg, errText = load(t, minimal+"[shared]\nurl_env = \"VALKEY\"\n", map[string]string{"VALKEY": "rediss://:" + canary + "@valkey.example\n"})
	if s := cfg.Shared; errText != "" || !strings.Contains(string(s.URL), canary) || s.Prefix != "" || s.Patience != 0 {
		t.Errorf("Load = %+v, %s", s, errText)
	}
	if cfg, _ := load(t, minimal, nil); cfg.Shared.URL != "" {
		t.Errorf("without [shared]: %+v", cfg.Shared)
	}
}

func TestSharedCache(t *testing.T) {
	cfg, errText := load(t, minimal+"[cache]\nshared = true\n[shared]\nurl = \"redis://127.0.0.1:1\"\n", nil)
	if errText != "" || !cfg.Cache.Shared || cfg.Cache.Size != nil {
		t.Errorf("Load = %+v, %s", cfg.Cache, errText)
	}
}

func TestRemember(t *testing.T) {
	for text, want := range map[string]string{
		"":                "",
		"remember = true": "",
		"remember = false\n[shared]\nurl = \"redis://127.0.0.1:1\"": "",
		"remember = true\n[shared]\nurl = \"redis://127.0.0.1:1\"":  "remember: what [shared] names remembers already",
		"remember = true\nrevoke_on_exit = true":                    "remember: revoke_on_exit takes away",
		"remember = 1":                                              "remember: must be true or false",
	} {
		cfg, got := load(t, text+"\n"+minimal, nil)
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%q: %s, want %q", text, got, want)
		}
		if want == "" && cfg.Remember != (text == "remember = true") {
			t.Errorf("%q: Remember = %v", text, cfg.Remember)
		}
	}
}

func TestSharedFaults(t *testing.T) {
	for text, want := range map[string]string{
		"prefix = \"a\"":                                                      "shared: the url is missing",
		"url = \"http://u:" + canary + "@h\"":                                 "shared.url: no URL of a Valkey or Redis",
		"url = \"rediss://u:" + canary + "@h?skip_verify=1\"":                 "shared.url: skip_verify is not allowed",
		"url_env = \"BAD\"":                                                   "shared.url_env: no URL of a Valkey or Redis",
		"url = \"redis://h\"\nurl_env = \"BAD\"":                              "shared.url_env: url is given as well",
		"url = \"redis://h\"\nprefix = \"a{b}\"":                              "shared.prefix: must be up to 100 letters",
		"url = \"redis://h\"\npatience = \"2s\"":                              "shared.patience: must be 1s at most",
		"url = \"redis://h\"\npatience = 3":                                   "shared.patience: must be a string",
		"url = \"redis://h\"\nca_file = \"none.pem\"":                         "shared.ca_file: ",
		"url = \"redis://h\"\nkey_file = \"none\"":                            "shared.key_file: ",
		"url = \"redis://h\"\nkey_file = \"app.pem\"":                         "shared.key_file: ",
		"url = \"redis://h\"\nkey_file = \"" + strings.Repeat("a", 32) + "\"": "shared.key_file: holds the secret itself",
		"url = \"redis://h\"\nurls = 1":                                       "shared.urls: unknown key",
	} {
		_, got := load(t, minimal+"[shared]\n"+text+"\n", map[string]string{"BAD": canary})
		if !strings.Contains(got, want) || strings.Contains(got, canary) {
			t.Errorf("%s: %s, want %q", text, got, want)
		}
	}
}
