package console

import "net/http"

// routes are all there is. What is written is written by POST.
func (c *Console) routes() {
	c.mux.Handle("GET /static/{file}", c.static)
	c.openRoutes()

	c.page("GET /{$}", c.overview)
	c.live("GET /overview/live", c.overviewLive)
	c.stream("GET /live", c.overviewStream)
	c.page("GET /calling", c.calling)

	c.page("GET /integrations", c.integrations)
	c.page("GET /integrations/new", c.newIntegration)
	c.page("POST /integrations/new", c.addIntegration)
	c.draftRoutes()
	const one = "/integrations/{account}/{integration}"
	c.page("GET "+one, c.integration)
	c.live("GET "+one+"/state", c.integrationState)
	c.live("GET "+one+"/history", c.integrationHistory)
	c.stream("GET "+one+"/live", c.integrationStream)
	c.page("GET "+one+"/runs/{run}", c.run)
	c.stream("GET "+one+"/runs/{run}/live", c.runStream)
	c.page("GET "+one+"/edit", c.editIntegration)
	c.page("POST "+one+"/edit", c.changeIntegration)
	c.page("GET "+one+"/source", c.comesFrom)
	c.page("POST "+one+"/source", c.changeSource)
	c.page("GET "+one+"/bridge", c.toBridge)
	c.page("POST "+one+"/bridge", c.changeToBridge)
	c.page("POST "+one+"/test", c.testIntegration)
	c.page("POST "+one+"/oauth", c.beginOAuth)
	c.page("POST "+one+"/run", c.ask(runNow))
	c.page("POST "+one+"/cancel", c.ask(cancelRun))
	c.page("POST "+one+"/pause", c.pause(true))
	c.page("POST "+one+"/resume", c.pause(false))
	c.page("GET "+one+"/full", c.confirmFull)
	c.page("POST "+one+"/full", c.ask(runFull))
	c.page("GET "+one+"/accept", c.confirmAccept)
	c.page("POST "+one+"/accept", c.answer(true))
	c.page("POST "+one+"/keep", c.answer(false))
	c.page("GET "+one+"/held.csv", c.downloadHeld)
	c.page("GET "+one+"/remove", c.confirmRemoveIntegration)
	c.page("POST "+one+"/remove", c.removeIntegration)

	c.page("GET /contacts", c.contacts)
	c.page("GET /contacts/found", c.found)
	c.page("GET /person", c.person)
	c.page("GET /person/purge", c.confirmPurge)
	c.page("POST /person/purge", c.purge)

	c.page("GET /phonebooks-of", c.phonebooks) // below /phonebooks/ devices read
	c.page("GET /phonebooks-of/new", c.newPhonebook)
	c.page("POST /phonebooks-of/new", c.addPhonebook)
	const book = "/phonebooks-of/{account}/{phonebook}"
	c.page("GET "+book, c.phonebook)
	c.page("GET "+book+"/edit", c.editPhonebook)
	c.page("POST "+book+"/edit", c.changePhonebook)
	c.page("GET "+book+"/remove", c.confirmRemovePhonebook)
	c.page("POST "+book+"/remove", c.removePhonebook)
	c.page("POST "+book+"/credentials", c.addKey)
	c.page("GET "+book+"/credentials/{credential}/revoke", c.confirmRevokeKey)
	c.page("POST "+book+"/credentials/{credential}/revoke", c.revokeKey)

	c.adminRoutes()
}

// draftRoutes connect sources that the hub reads itself.
func (c *Console) draftRoutes() {
	c.page("GET /catalogue", c.catalogue)
	c.live("GET /catalogue/found", c.catalogueFound)
	c.page("GET /catalogue/{kind}", c.kind)
	c.upload("POST /catalogue/{kind}", c.begin)
	c.page("GET /drafts/{draft}", c.draftConnect)
	c.upload("POST /drafts/{draft}", c.connectDraft)
	c.page("GET /drafts/{draft}/signed-in", c.signedIn)
	c.page("GET /drafts/{draft}/things", c.draftThings)
	c.page("POST /drafts/{draft}/things", c.chooseThings)
	c.page("GET /drafts/{draft}/contacts", c.draftContacts)
	c.page("POST /drafts/{draft}/contacts", c.changeContacts)

	c.page("GET /files", c.files)
	c.page("GET /files/replace", c.replacing)
	c.upload("POST /files/replace", c.replaceFile)
	c.page("GET /files/staged/{file}", c.stagedFile)
	c.page("POST /files/staged/{file}", c.applyFile)
	c.page("POST /files/staged/{file}/discard", c.discardFile)
	c.page("GET /files/remove", c.confirmRemoveFile)
	c.page("POST /files/remove", c.removeFile)
}

// openRoutes are for who is not signed in.
func (c *Console) openRoutes() {
	c.open("GET /setup", c.setupPage)
	c.open("POST /setup", c.setup)
	c.open("GET /sign-in", c.signInPage)
	c.open("POST /sign-in", c.signIn)
	c.open("GET /sign-in/openid", c.beginOpenID)
	c.open("GET /sign-in/openid/callback", c.finishOpenID)
	c.open("POST /sign-out", c.signOut)
	c.open("/", c.nothing)
}

func (c *Console) adminRoutes() {
	c.page("GET /accounts", c.accounts)
	c.page("GET /accounts/new", c.newAccount)
	c.page("POST /accounts/new", c.addAccount)
	c.page("GET /accounts/{account}", c.account)
	c.page("POST /accounts/{account}", c.changeAccount)
	c.page("GET /accounts/{account}/remove", c.confirmRemoveAccount)
	c.page("POST /accounts/{account}/remove", c.removeAccount)

	c.page("GET /users", c.users)
	c.page("GET /users/new", c.newUser)
	c.page("POST /users/new", c.addUser)
	c.page("GET /users/{id}", c.user)
	c.page("POST /users/{id}", c.changeUser)
	c.page("GET /users/{id}/password", c.confirmPassword)
	c.page("POST /users/{id}/password", c.givePassword)
	c.page("GET /users/{id}/remove", c.confirmRemoveUser)
	c.page("POST /users/{id}/remove", c.removeUser)

	c.page("GET /tokens", c.tokens)
	c.page("POST /tokens", c.addToken)
	c.page("GET /tokens/{id}/remove", c.confirmRemoveToken)
	c.page("POST /tokens/{id}/remove", c.removeToken)
	c.page("GET /webhooks", c.webhooks)
	c.page("POST /webhooks", c.addWebhook)
	c.page("GET /webhooks/{id}", c.webhook)
	c.page("POST /webhooks/{id}/test", c.testWebhook)
	c.page("POST /webhooks/{id}/enable", c.enableWebhook)
	c.page("POST /webhooks/{id}/deliveries/{delivery}/retry", c.redeliver)
	c.page("GET /webhooks/{id}/remove", c.confirmRemoveWebhook)
	c.page("POST /webhooks/{id}/remove", c.removeWebhook)
	c.page("GET /audit", c.audit)
	c.page("POST /audit.csv", c.downloadAudit)

	c.page("GET /settings", c.settings)
	c.page("POST /settings/password", c.changePassword)
	c.page("POST /settings/sessions", c.endSessions)
}

// page serves who is signed in, and counts as a sign of life.
func (c *Console) page(pattern string, h handler) { c.handle(pattern, signedIn|alive, h) }

// live serves what a browser asks for by itself.
func (c *Console) live(pattern string, h handler) { c.handle(pattern, signedIn, h) }

// stream serves events until the browser has gone.
func (c *Console) stream(pattern string, h handler) { c.handle(pattern, signedIn, h) }

// upload is page for what takes a file.
func (c *Console) upload(pattern string, h handler) {
	c.takesFiles[pattern] = true
	c.page(pattern, h)
}

// open serves anyone.
func (c *Console) open(pattern string, h handler) { c.handle(pattern, 0, h) }

func (c *Console) handle(pattern string, needs needs, h handler) {
	c.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { c.serve(w, r, needs, h) })
}
