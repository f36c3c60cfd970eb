// Package bridgetest judges any bridge over HTTP: the rules of the contact-synchronization protocol as a table of cases.
//
// It is a black box. It speaks raw net/http and judges exactly what is on the wire; nothing is repaired on the way. One
// full run is read once and most cases judge what it recorded, so the whole check of a correct bridge costs little more
// than one plain synchronization. All failures are collected: no case stops the check, and each finding says which rule
// is violated, what was sent, what came back and what to change.
//
// [Check] is for commands, [Run] for Go tests:
//
//	func TestBridge(t *testing.T) {
//		server := httptest.NewServer(myBridge)
//		defer server.Close()
//		bridgetest.Run(t, bridgetest.Target{
//			URL:  server.URL + "/crm/contact_sync",
//			Auth: map[string]string{"username": "agent", "password": "s3cr3t"},
//		})
//	}
//
// The rules (P1 to P14, D1 to D11) are explained in docs/protocol.md, the threats (T1 to T14) in docs/exactness.md.
package bridgetest
