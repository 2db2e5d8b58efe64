package main

import "testing"

func TestRunsOnTheFake(t *testing.T) {
	t.Setenv("AZURE_CLIENT_SECRET", "")
	if err := run(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
}
