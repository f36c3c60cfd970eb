// The console works without this script: it adds what forms and links cannot do.
(function () {
	"use strict";

	// Copy buttons, where the browser lets pages write to the clipboard.
	if (navigator.clipboard) {
		document.querySelectorAll("button[data-copy]").forEach(function (button) {
			button.hidden = false;
			button.addEventListener("click", function () {
				var input = document.getElementById(button.dataset.copy);
				input.select();
				navigator.clipboard.writeText(input.value).then(function () { button.textContent = "Copied"; });
			});
		});
	}

	// The slash goes to the who-is-calling box; Escape leaves its answer.
	var box = document.getElementById("caller-number");
	document.addEventListener("keydown", function (event) {
		var typing = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName);
		if (box && event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
			event.preventDefault();
			box.focus();
			box.select();
		}
		if (event.key === "Escape") {
			var answer = document.getElementById("caller-answer");
			if (answer && answer.firstElementChild) {
				answer.replaceChildren();
				box.focus();
			}
		}
	});
	document.addEventListener("click", function (event) {
		var form = document.querySelector("form.caller");
		if (form && !form.contains(event.target)) {
			document.getElementById("caller-answer").replaceChildren();
		}
	});

	// A page that is not kept up to date any more says so.
	document.addEventListener("htmx:sseError", function () { document.documentElement.dataset.live = "off"; });
	document.addEventListener("htmx:sseOpen", function () { document.documentElement.dataset.live = "on"; });
	document.addEventListener("htmx:sendError", function () { document.documentElement.dataset.live = "off"; });

	// An account is shown as soon as it is chosen.
	var account = document.getElementById("account-choice");
	if (account) {
		account.form.classList.add("immediate");
		account.addEventListener("change", function () { account.form.submit(); });
	}
})();
