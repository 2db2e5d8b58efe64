package main

import "testing"

// TestVerdicts judges one answer of each kind.
func TestVerdicts(t *testing.T) {
	for _, test := range []struct {
		name     string
		verdict  verdict
		requests int
		want     string
	}{
		{"success", verdict{Want: "ok", Requests: 2}, 2, asGraph},
		{"too few requests", verdict{Want: "ok", Requests: 1}, 2, different},
		{"refusal", verdict{Want: "error: no seats", Error: "400: no seats left"}, 0, asGraph},
		{"another refusal", verdict{Want: "error: no seats", Error: "404: nobody"}, 0, different},
		{"no refusal", verdict{Want: "error: no seats"}, 0, different},
		{"no success", verdict{Want: "ok", Error: "404: nobody"}, 0, different},
		{"not served", verdict{Want: "ok", Error: "501: licensingtest does not serve DELETE."}, 0, lacking},
		{"not served, without a text", verdict{Want: "ok", Error: "Request failed with status code 501"}, 0, lacking},
		{"an item not served", verdict{Want: "ok", Output: map[string]any{"message": "licensingtest does not serve DELETE."}}, 0, lacking},
	} {
		test.verdict.judge(test.requests)
		if test.verdict.Verdict != test.want {
			t.Errorf("%s: verdict %q, want %q", test.name, test.verdict.Verdict, test.want)
		}
	}
}

// TestSettled takes out of an answer what is not the same each time.
func TestSettled(t *testing.T) {
	v := verdict{Output: map[string]any{
		"request-id": "1", "date": "2026-01-02T03:04:05", "next": "https://host/users?$skiptoken=abc&$top=1", "value": []any{1, 2, 3, 4, 5},
	}}
	v.judge(0)
	const want = `{"client":"","call":"","verdict":"different","want":"","requests":0,"output":{"date":"(a time)","next":"https://host/users?$skiptoken=(varies)&$top=1","request-id":"(varies)","value":[1,2,3,"and 2 more"]}}` + "\n"
	if got := string(v.line()); got != want {
		t.Errorf("line %s, want %s", got, want)
	}
}
