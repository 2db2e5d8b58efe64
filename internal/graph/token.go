package graph

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"
)

// A TokenSource returns an access token for Graph.
type TokenSource func(ctx context.Context) (string, error)

// A TokenError is why there is no token: nothing was sent.
type TokenError struct{ Err error }

func (e *TokenError) Error() string { return "token source: " + e.Err.Error() }
func (e *TokenError) Unwrap() error { return e.Err }

// errSameToken ends the attempts: the answer to the one before stands.
var errSameToken = errors.New("token source returned the token that was refused")

// sign returns the header of req with the token, or why it must not be sent.
func (s *signer) sign(req *http.Request, a *attempt) (http.Header, error) {
	x := a.sending
	if !sameOrigin(req.URL, x.service.root) {
		return nil, &unsentError{errOtherHost, true}
	}
	// A transport must not change its request: HTTP/2 may still be reading the
	// header for the attempt before. So far it has cookies at the most.
	header := maps.Clone(req.Header)
	if s.tokens != nil {
		token, err := s.tokens(a.ctx)
		if err == nil {
			token, err = checkToken(token)
		}
		if err != nil {
			return nil, &TokenError{err}
		}
		if token == x.next.Refused {
			return nil, errSameToken
		}
		a.token = token
		x.service.secrets.add(token)
	}
	a.setHeader(header)
	if err := a.ctx.Err(); err != nil {
		return nil, &unsentError{err, false}
	}
	return header, nil
}

// setHeader sets the header of the attempt's request. Its values share an array.
func (a *attempt) setHeader(h http.Header) {
	req, v := a.sending.request, &a.values
	*v = [...]string{"application/json", req.ID, a.sending.service.userAgent, "application/json", ""}
	h["Accept"] = v[0:1:1]
	h["Client-Request-Id"] = v[1:2:2]
	h["User-Agent"] = v[2:3:3]
	if req.Body != nil {
		h["Content-Type"] = v[3:4:4]
	}
	if a.token != "" {
		v[4] = "Bearer " + a.token
		h["Authorization"] = v[4:5:5]
	}
	if req.Indexed {
		h["Consistencylevel"] = []string{"eventual"}
	}
}

func checkToken(token string) (string, error) {
	token = strings.TrimSpace(token) // files end in a newline
	if token == "" {
		return "", errors.New("token is empty")
	}
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", errors.New("token contains a blank or a character that is not allowed in a header; it must not include \"Bearer\"")
	}
	return token, nil
}
