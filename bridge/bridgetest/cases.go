package bridgetest

import "context"

// A Case is one thing that a bridge is judged by.
type Case struct {
	ID          string `json:"id"` // stable, for programs
	Rule        string `json:"rule"`
	Grade       Grade  `json:"grade"`
	Title       string `json:"title"`
	Explanation string `json:"explanation"`
	Advice      string `json:"advice"`
}

// A testCase is a case and what it does. One without run only collects what was found in traffic of the others.
type testCase struct {
	Case
	run func(ctx context.Context, s *session, v *verdict)
}

// Cases returns every case in the order in which they are judged and reported.
func Cases() []Case {
	var cases []Case
	for _, c := range allCases() {
		cases = append(cases, c.Case)
	}
	return cases
}

func allCases() []testCase {
	var cases []testCase
	for _, group := range [][]testCase{
		connectionCases(), answerCases(), contactCases(), runCases(), credentialCases(), validationCases(), requestCases(), pageCases(),
		checkpointCases(), agentCases(), changeCases(), lateCases(),
	} {
		cases = append(cases, group...)
	}
	return cases
}

func connectionCases() []testCase {
	return []testCase{
		{Case{
			"reachable", "P12", Must, "the bridge answers at its URL",
			"A synchronizer sends a POST to the configured URL and needs an answer.",
			"Check host, port and path, that the bridge is running, and that nothing in between refuses the connection.",
		}, reachable},
		{Case{
			"https", "P1", Must, "credentials travel over HTTPS",
			"Every request carries credentials, so in production the endpoint is an https:// URL.",
			"Put TLS in front of the bridge. On loopback plain HTTP is fine.",
		}, https},
		{Case{
			"certificate", "P1", Must, "the certificate is trusted, names the host and has not expired",
			"A synchronizer refuses a connection if it cannot verify the certificate.",
			"Serve a certificate for this host name from a public authority, with its whole chain, and renew it in time.",
		}, certificate},
		{Case{
			"first-page", "P5", Must, "a good request is answered with status 200 and a page",
			"A request with good credentials, no checkpoint and no offset asks for the first page of every contact.",
			"Answer 200 with a JSON object. See what came back: 401 means that the credentials given to the check are refused, " +
				"404 that the path is wrong, 3xx that the URL should be the one it points to, 400 that nulls in meta are not understood.",
		}, firstPage},
		{Case{
			"run-complete", "P6", Must, "every page can be followed to the end",
			"A page with next_offset is followed at once by a request with that offset and context, until a page has no next_offset.",
			"Accept exactly the offset and the context that the page before gave, byte for byte, with the checkpoint that the " +
				"run started with (absent on an initial run), and answer every page with 200.",
		}, runComplete},
		{Case{
			"run-ends", "P6, D4", Must, "a run ends",
			"next_offset is absent or null once all contacts have been retrieved; one that comes again is a run without an end.",
			"Leave next_offset out of the page that holds the last contact, and let every other page move on.",
		}, runEnds},
		{Case{
			"contact-count", "P5", Must, "a full run brings as many contacts as there are",
			"An initial run returns every contact.",
			"Look for rows that a page boundary swallows: many with one time stamp, read on with > instead of (time, id) > (t, i).",
		}, contactCount},
	}
}

func answerCases() []testCase {
	return []testCase{
		{Case: Case{
			"answer-time", "P12", Must, "every answer comes in less than 10 seconds",
			"A request that is not answered in 10 seconds has failed, and the synchronization with it.",
			"Make pages smaller, or end a page by time: send what there is after a few seconds and go on in the next one.",
		}},
		{Case: Case{
			"answer-time-margin", "P12", Should, "no answer comes close to the limit of 10 seconds",
			"An answer that takes 8 seconds today takes 10 when the external service is busy.",
			"Make pages smaller, add the index that the query needs, or end a page by time.",
		}},
		{Case: Case{
			"page-size", "P12", Should, "pages are small",
			"Too much data in one answer can make it fail.",
			"Send a few hundred or a thousand contacts a page, and a next_offset.",
		}},
		{Case: Case{
			"content-type", "P11", Must, "pages are application/json",
			"The answer's Content-Type is application/json.",
			"Set the header Content-Type: application/json.",
		}},
		{Case: Case{
			"json", "P11", Must, "the answer is one JSON object in UTF-8",
			"The body is a JSON object, encoded in UTF-8, with nothing before or after it.",
			"Build the body with a JSON encoder, encode it as UTF-8 without a byte order mark, and print nothing else.",
		}},
		{Case: Case{
			"json-duplicate-keys", "P11", Should, "no name comes twice in a JSON object",
			"Readers of JSON disagree about which of two equal names counts.",
			"Write every field once.",
		}},
		{Case: Case{
			"contacts-array", "P9", Must, "every page has an array of contacts",
			"contacts is an array, empty if there are no contacts.",
			`Always write "contacts": […], also in an empty page.`,
		}},
		{Case: Case{
			"next-offset-type", "P6", Must, "next_offset is a string",
			"next_offset is a string, or absent or null at the end.",
			`Write numbers as strings: "next_offset": "3".`,
		}},
		{Case: Case{
			"next-offset-empty", "D1", Should, "next_offset is left out at the end, not empty",
			"A field without a value is absent; some synchronizers read an empty offset as the end, others as an offset.",
			"Leave next_offset out of the last page.",
		}},
		{Case: Case{
			"checkpoint-type", "P7", Must, "synchronization_checkpoint is a string",
			"synchronization_checkpoint is a string, or absent.",
			`Write it as a string: "synchronization_checkpoint": "1353452460".`,
		}},
		{Case: Case{
			"checkpoint-empty", "D1", Should, "synchronization_checkpoint is left out if there is no checkpoint",
			"An empty checkpoint sent back looks like an initial run.",
			"Leave synchronization_checkpoint out, or repeat the one that came in.",
		}},
	}
}

func contactCases() []testCase {
	return []testCase{
		{Case: Case{
			"contact-id", "P10", Must, "every contact has an id, a string",
			"id is the contact's id in the external service: a string, never empty.",
			"Convert numbers to strings, and leave out what has no id.",
		}},
		{Case: Case{
			"contact-name", "P10, D6", Must, "every contact has a name",
			"name is a string and mandatory.",
			"If the name is missing, send the best substitute: company, e-mail address, number or id.",
		}},
		{Case: Case{
			"contact-types", "P10", Must, "every other field has its type",
			"company, title, photo_url, address, twitter and url are strings; emails, phones and websites are arrays of strings; " +
				"custom_fields is an array of objects with the strings key and value.",
			"Convert values to strings, wrap single values in arrays, and leave nulls out of arrays.",
		}},
		{Case: Case{
			"contact-nulls", "D1", Should, "fields without a value are absent, not null",
			"A field is written with its type or not at all; null is of no type.",
			"Leave the field out if it has no value.",
		}},
		{Case: Case{
			"contact-empties", "D1", Info, "fields without a value are absent, not empty",
			"Empty strings and arrays say nothing and cost bytes.",
			"Leave the field out if it has no value.",
		}},
		{Case: Case{
			"contact-unknown-fields", "P10", Info, "contacts have no fields that the protocol does not know",
			"A field that the protocol does not know is ignored, which hides a misspelt one.",
			"Compare the name with those of the protocol (phones, not phone); put what has no field into custom_fields.",
		}},
		{Case: Case{
			"text-damage", "P10", Info, "text is undamaged",
			"Letters that were lost or encoded twice on the way make names unreadable and searches fail.",
			"Read the external service in its own character set, and write UTF-8 once.",
		}},
		{Case: Case{
			"long-names", "P10", Info, "names fit where they are shown",
			"Many systems cut names after 255 bytes.",
			"Check what stands in the name; a note may belong into custom_fields.",
		}},
		{Case{
			"ids-unique", "P10", Must, "an id belongs to one contact and comes once in a run",
			"id is unique; a second contact with the same id replaces the first one.",
			"Use the external service's primary key, and look for a join that multiplies rows.",
		}, idsUnique},
	}
}

func runCases() []testCase {
	return []testCase{
		{Case{
			"page-twice", "P13", Must, "the same page can be asked for twice",
			"After a 401 or a broken connection the platform repeats the request.",
			"Keep no cursor in the bridge: put everything that the next page needs into next_offset.",
		}, pageTwice},
		{Case{
			"page-stable", "P3", Should, "the same page holds the same contacts",
			"A page that was asked for twice and came with other contacts means that some may be on neither.",
			"Sort by (time of change, id), and go on after the last pair instead of counting rows.",
		}, nil},
		{Case{
			"checkpoint-set", "P7", Info, "the bridge sets a checkpoint",
			"Without a checkpoint every run is a full one.",
			"Send the last contact's position in synchronization_checkpoint, if the external service knows when contacts change.",
		}, checkpointSet},
		{Case{
			"checkpoint-last-page", "D2", Should, "the last page has a checkpoint where others have one",
			"The next run starts from the last checkpoint that the run set: without one on the last page, what it held comes " +
				"again every time, or everything does.",
			"Set synchronization_checkpoint on every page, the last one and an empty one included.",
		}, checkpointLastPage},
		{Case{
			"incremental", "P5", Must, "the bridge accepts its own checkpoint",
			"The next run sends back the checkpoint of the last one and asks for what changed since.",
			"Accept synchronization_checkpoint as it was issued, and answer 200, with no contacts if nothing changed.",
		}, incremental},
		{Case{
			"incremental-small", "P5", Should, "an incremental run brings only what changed",
			"With a checkpoint and no offset, only contacts updated after the checkpoint are asked for.",
			"Read synchronization_checkpoint from meta and compare it with the time of each contact's last change.",
		}, incrementalSmall},
		{Case{
			"checkpoint-repeated", "D2", Should, "a run that brings nothing repeats the checkpoint",
			"A bridge that has nothing new gives back the checkpoint that it was given; without one the next run may be a full one.",
			"Where a page has no contacts, set synchronization_checkpoint to the one in the request.",
		}, checkpointRepeated},
	}
}

func credentialCases() []testCase {
	return []testCase{
		{Case{
			"auth-wrong", "P13", Must, "wrong credentials are answered with 401",
			"401 tells the platform to refresh the credentials and to try again; anything else is an open door or a dead end.",
			"Compare every mandatory value of auth, in constant time, and answer 401 when one is wrong.",
		}, authWrong},
		{Case{
			"auth-missing", "P13", Must, "no contacts are sent without credentials",
			"Credentials stand in every request; one without them must not be served.",
			"Treat a missing, null or empty auth, and empty values in it, as wrong credentials.",
		}, authMissing},
		{Case{
			"auth-missing-status", "P13", Should, "missing credentials are answered with 401",
			"401 is the one status that says that the credentials are the problem.",
			"Check auth before anything else, and answer 401.",
		}, nil},
		{Case{
			"auth-unicode", "P13, D5", Should, "wrong credentials with letters of any language are answered with 401",
			"Passwords may hold any letter; a comparison that only takes ASCII fails with 500.",
			"Compare the UTF-8 bytes, not the strings.",
		}, authUnicode},
		{Case: Case{
			"credentials-echoed", "D5", Must, "no answer holds a credential",
			"What stands in an answer or an error ends up in logs and on screens.",
			"Never put the request, its auth object or a connection string into an answer.",
		}},
		{Case{
			"auth-validation", "P13", Must, "the credential check accepts good credentials and answers 401 to wrong ones",
			"POST {\"auth\": …} to auth_validation: 200 or 204 when good, 401 when not.",
			"Answer 204 when a contact_sync with these credentials would be served, 401 when not.",
		}, authValidation},
	}
}

func requestCases() []testCase {
	return []testCase{
		{Case{
			"bad-json", "D5", Should, "malformed JSON is answered with 4xx",
			"400 says that the request is at fault; 5xx makes synchronizers try the same again and again.",
			"Catch the parser's error and answer 400.",
		}, badJSON},
		{Case{
			"bad-types", "D5", Should, "values of a wrong type are answered with 4xx",
			"A request with an auth or meta that is not an object, or with an offset that is an array, is answered with 400.",
			"Check the types after parsing, before anything is used.",
		}, badTypes},
		{Case{
			"huge-body", "D5", Should, "a huge request does not break the bridge",
			"A request is a few hundred bytes; 413 for one of many megabytes protects the memory.",
			"Limit the size of the request's body, to 1 MiB say, and answer 413 beyond it.",
		}, hugeBody},
		{Case: Case{
			"huge-body-accepted", "D5", Info, "a huge request is refused",
			"A bridge that reads any body can be made to run out of memory.",
			"Limit the size of the request's body, to 1 MiB say, and answer 413 beyond it.",
		}},
		{Case{
			"method", "D5", Should, "other methods than POST are answered with 4xx",
			"The protocol knows POST only; a GET that serves contacts ends up in caches and crawlers.",
			"Answer 405 with the header Allow: POST.",
		}, method},
		{Case{
			"media-type", "D5", Should, "a request that is not JSON is answered with 4xx",
			"415 says that the content type is wrong.",
			"Answer 415 unless the request's Content-Type is application/json.",
		}, mediaType},
		{Case{
			"unknown-fields", "D1", Should, "unknown fields in a request are ignored",
			"Synchronizers send fields that a bridge doesn't know yet.",
			"Read the fields you know and ignore the rest.",
		}, unknownFields},
		{Case{
			"deletions", "D7", Should, "the word for deletions is understood or ignored",
			"meta.supports_deletions says that an answer may have deleted_contacts, an array of ids.",
			"Ignore the field, or answer with an array of strings.",
		}, deletions},
		{Case: Case{
			"extensions-unasked", "D7", Should, "extensions are sent to those who ask for them",
			"deleted_contacts, restarted and exact are for a synchronizer that sent meta.supports_deletions; others do not know them.",
			"Write these fields only where meta.supports_deletions of the request is true.",
		}},
		{Case: Case{
			"flags-type", "D8, D10", Should, "restarted and exact are booleans",
			"restarted and exact decide about deletions; a value of another type means no to one reader and yes to another.",
			"Write true, or leave the field out.",
		}},
		{Case: Case{
			"stack-traces", "D5", Should, "errors show nothing of the program's insides",
			"A stack trace helps only an attacker.",
			"Turn off the debug mode, catch errors at the top, log them, and answer with a short JSON error.",
		}},
		{Case: Case{
			"error-html", "D5", Should, "errors are not HTML",
			"An HTML error page usually comes from a framework or a proxy, and no program can read it.",
			"Answer errors with JSON: {\"error\": {\"code\": \"…\", \"message\": \"…\"}}.",
		}},
		{Case: Case{
			"error-json", "D5", Info, "errors are JSON",
			"A synchronizer can show what it can read.",
			"Answer errors with JSON: {\"error\": {\"code\": \"…\", \"message\": \"…\"}}.",
		}},
	}
}

func pageCases() []testCase {
	return []testCase{
		{Case{
			"meta-absent", "P5", Must, "absent fields mean the same as null ones",
			"Checkpoint, offset and context are null or absent on the first request of an initial run.",
			"Treat a missing field of meta, and a missing meta, as null.",
		}, metaAbsent},
		{Case{
			"meta-empty", "D1", Should, "empty offsets and checkpoints mean the same as null ones",
			"Some synchronizers write an empty string instead of leaving the field out.",
			`Treat "" in offset and synchronization_checkpoint as null.`,
		}, metaEmpty},
		{Case{
			"context", "P8", Info, "the context is used as it should be",
			"context is sent back only together with next_offset; on a last page it is lost.",
			"Leave context out of a page without next_offset.",
		}, contextUse},
		{Case{
			"context-reencoded", "P4", Should, "a context may come back spelled differently",
			"context is a JSON value: a synchronizer may read it and write it again, with other white space and order.",
			"Parse the context as JSON; don't compare or sign its bytes.",
		}, contextReencoded},
		{Case{
			"offset-altered", "D5", Should, "an offset that was never issued breaks nothing",
			"Offsets come from outside; 400 says that the bridge did not issue this one.",
			"Check the offset when it comes back, and answer 400.",
		}, offsetAltered},
		{Case: Case{
			"offset-altered-accepted", "D5", Info, "an offset that was never issued is refused",
			"A bridge that serves any offset cannot tell a damaged one, and a run may end early without anybody noticing.",
			"Check the offset when it comes back, and answer 400.",
		}},
		{Case{
			"checkpoint-altered", "D5", Should, "a checkpoint that was never issued breaks nothing",
			"Checkpoints come from outside; 400 says that the bridge did not issue this one.",
			"Check the checkpoint when it comes back, and answer 400.",
		}, checkpointAltered},
		{Case{
			"gzip", "P11", Must, "compressed answers are declared, and only sent to those who ask",
			"Content-Encoding says how the body is compressed; only what Accept-Encoding offers may be used.",
			"Let the server or the proxy compress, not both, and only if the request allows it.",
		}, gzipped},
		{Case: Case{
			"gzip-offered", "P12", Info, "pages are compressed for those who ask",
			"Contacts compress to a fifth; the answer comes sooner.",
			"Compress answers if the request has Accept-Encoding: gzip.",
		}},
		{Case{
			"keep-alive", "P12", Info, "connections are kept open between pages",
			"A new connection for every page costs time, with TLS a lot.",
			"Speak HTTP/1.1 with Content-Length or chunks, and don't close the connection.",
		}, keepAlive},
		{Case{
			"two-runs", "P4", Must, "two runs at once don't disturb each other",
			"A bridge is stateless: what belongs to a run travels in its offset and context.",
			"Keep nothing about a run in the bridge's memory.",
		}, twoRuns},
	}
}

func checkpointCases() []testCase {
	return []testCase{
		{Case{
			"page-checkpoint", "P9", Must, "everything up to a page's checkpoint was sent by then",
			"Contacts come ascending by what the checkpoint is made of, so that a run can start again from any page's checkpoint.",
			"Sort by (time of change, id). Set the checkpoint to the pair of the page's last contact, and start after it with " +
				"(time, id) > (t, i). If only the time fits, use >=: twice is harmless, never is not. An unsorted bridge sets it on " +
				"its last page only.",
		}, pageCheckpoint},
		{Case{
			"checkpoint-clock", "P7, T9", Should, "the checkpoint follows the contacts, not the clock",
			"The checkpoint marks the last contact of the batch. One that is the time of the answer skips whatever was written " +
				"while the answer was made.",
			"Take the checkpoint from the last contact that was sent; if none was sent, repeat the one in the request.",
		}, checkpointClock},
		{Case{
			"checkpoint-unknown", "D5, D10", Should, "a checkpoint of another bridge is refused or answered from the beginning",
			"A bridge that was put in another one's place, or that reads another table now, is sent a checkpoint that it never " +
				"issued. Reading on from there brings no older contact, and no error says so.",
			"Put into the checkpoint what it belongs to: a hash of database, table and mapping, say. Begin from the start where it " +
				"does not fit, or answer 400.",
		}, checkpointUnknown},
		{Case{
			"restarted", "D10", Must, "a run that says restarted brings every contact, and says so on its first page only",
			"restarted makes a run with a checkpoint an initial one: the synchronizer deletes the contacts that it does not bring.",
			"Say restarted on the first page of a run that begins from the start although the request has a checkpoint, and never " +
				"otherwise. Go on by the offset alone, whatever checkpoint comes with it.",
		}, restarted},
	}
}

func changeCases() []testCase {
	return []testCase{
		{Case{
			"change-created", "P14", Must, "a contact that was created arrives with the next run",
			"An incremental run brings contacts created or updated since the checkpoint.",
			"Ask the external service for created and updated ones; many have two times.",
		}, changeCreated},
		{Case{
			"change-updated", "P14", Must, "a contact that was updated arrives with the next run",
			"An incremental run brings contacts created or updated since the checkpoint.",
			"Make sure that every update moves the time that the bridge sorts by (a trigger does), and use >= or (time, id).",
		}, changeUpdated},
		{Case{
			"change-same-moment", "T1, T4", Should, "changes within one moment all arrive",
			"Times are cut to the second or the millisecond: a change in the same moment as the checkpoint is missed by >.",
			"Compare (time, id) as a pair with full precision, or use >= and send the last moment's contacts again.",
		}, changeSameMoment},
		{Case{
			"change-deleted", "D7", Should, "a contact that was deleted is gone from a full run",
			"The protocol has no word for a deletion: a synchronizer infers it from a full run that no longer shows the contact.",
			"Leave deleted contacts out of initial runs.",
		}, nil},
		{Case{
			"change-drift", "T5", Should, "contacts that move between pages are not lost",
			"When a contact changes during a run, the rows after it move up: with page numbers one slides over the boundary " +
				"and is never seen.",
			"Go on after the last (time, id) of the page instead of counting rows.",
		}, changeDrift},
		{Case: Case{
			"change-ties", "T1", Should, "contacts that share a moment are not lost at page boundaries",
			"Rows with one time of change may lie on two pages; > after the first page drops the rest.",
			"Sort by (time, id), and go on with (time, id) > (t, i).",
		}},
		{Case: Case{
			"change-during", "T2, T9", Should, "changes made between and during pages arrive, in this run or the next",
			"A contact that changes after the run has passed it must come with the next run.",
			"Never let the checkpoint pass a change that was not sent: take it from the contacts, not from the clock.",
		}},
	}
}

func lateCases() []testCase {
	return []testCase{
		{Case{
			"page-later", "E4", Should, "a page can be asked for after a pause",
			"A synchronizer that was busy, or was restarted, goes on where it stood.",
			"Put everything that the next page needs into next_offset, and let it live.",
		}, pageLater},
		{Case{
			"page-after-restart", "E4", Should, "a page can be asked for after the bridge was restarted",
			"The next page may be answered by another process or another machine.",
			"Put everything that the next page needs into next_offset, and keep no cursor in memory.",
		}, pageAfterRestart},
	}
}
