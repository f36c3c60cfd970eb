package phonebooks

// A Maker is what somebody who sets up a maker's telephones needs to know. docs/phones.md says more.
type Maker struct {
	Title string
	File  string // of the phonebook over HTTP; empty: its telephones read none
	Where string // where the file's address is put
	Most  int    // entries that the file has; 0: all
	// LDAP are the settings that the telephone needs besides server, base, user and password; empty: it speaks none.
	LDAP []Setting
}

// A Setting is one of a telephone.
type Setting struct{ Name, Value string }

// Makers lists what is known of makers.
func Makers() []Maker {
	both := func(more ...Setting) []Setting {
		return append([]Setting{{"Name filter", "(|(cn=%)(sn=%))"}, {"Number filter", "(|(telephoneNumber=%)(mobile=%))"}}, more...)
	}
	shown := []Setting{{"Name attributes", "cn"}, {"Number attributes", "telephoneNumber mobile"}, {"Display name", "%cn"}}
	return []Maker{
		{Title: "Yealink", File: "yealink.xml", Where: "Directory → Remote Phone Book", Most: mostYealink, LDAP: both(shown...)},
		{Title: "Snom", File: "snom.xml", Where: "a tbook to provision, or a remote XML directory", Most: mostSnom, LDAP: append([]Setting{
			{"Name filter", "(&(telephoneNumber=*)(cn=%))"}, {"Number filter", "(&(telephoneNumber=%)(cn=*))"},
		}, shown...)},
		{Title: "Grandstream", File: "phonebook.xml", Where: "Contacts → Phonebook Management → Download, without the file's name", Most: mostGrandstream, LDAP: both(shown...)},
		{Title: "Cisco", File: "cisco.xml", Where: "URL Directories, or XML_Directory_Service_URL", LDAP: []Setting{
			{"Authentication", "simple"}, {"Display attributes", "a=sn,n=Last;a=givenName,n=First;a=telephoneNumber,n=Work,t=p"},
		}},
		{Title: "Fanvil", File: "fanvil.xml", Where: "Remote phonebook", Most: mostFanvil, LDAP: both()},
		{Title: "Htek", File: "htek.xml", Where: "Remote phonebook", Most: mostHtek, LDAP: both()},
		{Title: "Gigaset", File: "gigaset.xml", Where: "Online directories → other provider", LDAP: both()},
		{Title: "Polycom, Poly", File: "000000000000-directory.xml", Where: "the provisioning", LDAP: []Setting{
			{"dir.corp.scope", "sub"}, {"dir.corp.filterPrefix", "(objectclass=person)"}, {"dir.corp.sortControl", "1"}, {"dir.corp.vlv.allow", "0"},
		}},
		{Title: "Mitel, Aastra", File: "mitel-search.xml", Where: "a key of the type XML", LDAP: []Setting{{"Search filter", "(&(sn=%)(telephoneNumber=*))"}, {"Scope", "sub"}}},
		{Title: "Panasonic", File: "panasonic.xml", Where: "XML phonebook", Most: mostPanasonic},
		{Title: "Ascom IP-DECT", File: "ascom.xml", Where: "Central phonebook"},
		{Title: "FRITZ!Box", File: "fritzbox.xml", Where: "download it, and restore it under Telephony → Telephone book", Most: mostFritzbox},
		{Title: "MicroSIP", File: "microsip.json", Where: "usersDirectory in microsip.ini", Most: mostMicroSIP},
		{Title: "Linphone", LDAP: []Setting{{"Filter", "(sn=*%s*)"}}},
		{Title: "Any other", File: "contacts.vcf", Where: "or contacts.csv"},
	}
}
