package app

import "testing"

// What Kubernetes and Docker put beside the server is no misspelt option.
func TestInjectedVariables(t *testing.T) {
	t.Parallel()
	for name, ours := range map[string]bool{
		"PINCALL_SERVICE_HOST=10.0.0.1": true, "PINCALL_SERVICE_PORT_HTTP=80": true, "PINCALL_PORT=tcp://10.0.0.1:80": true,
		"PINCALL_PORT_80_TCP_ADDR=10.0.0.1": true, "PINCALL_PORT_80_TCP=x": true, "PINCALL_SERVCE=x": false,
	} {
		err := overrides(&File{}, func(string) string { return "" }, []string{name})
		if (err == nil) != ours {
			t.Errorf("%s: %v", name, err)
		}
	}
}
