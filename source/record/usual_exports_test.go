package record_test

import (
	"strings"
	"testing"

	"github.com/contactbridge/contactbridge/source/record"
)

// The headers of usual exports, and the columns that are taken from them without a configuration.
func TestHeadersOfUsualExportsAreMapped(t *testing.T) {
	for _, test := range []struct {
		name, columns                                             string
		person, company, emails, phones, websites, title, country string
		id                                                        string
	}{
		{
			name: "Google",
			columns: "First Name|Middle Name|Last Name|Phonetic First Name|Name Prefix|Nickname|File As|Organization Name|Organization Title|Organization Department|Birthday|Notes|Photo|Labels|" +
				"E-mail 1 - Label|E-mail 1 - Value|E-mail 2 - Label|E-mail 2 - Value|Phone 1 - Label|Phone 1 - Value|Phone 2 - Label|Phone 2 - Value|" +
				"Address 1 - Label|Address 1 - Formatted|Address 1 - Street|Address 1 - City|Address 1 - PO Box|Address 1 - Region|Address 1 - Postal Code|Address 1 - Country|Website 1 - Label|Website 1 - Value",
			person: "First Name+Middle Name+Last Name", company: "Organization Name", title: "Organization Title",
			emails: "E-mail 1 - Value+E-mail 2 - Value", phones: "Phone 1 - Value+Phone 2 - Value", websites: "Website 1 - Value", country: "Address 1 - Country",
		},
		{
			name: "Outlook English",
			columns: "Title|First Name|Middle Name|Last Name|Company|Department|Job Title|Business Street|Business City|Business Country/Region|Assistant's Phone|Business Fax|Business Phone|Business Phone 2|" +
				"Callback|Car Phone|Company Main Phone|Home Phone|Mobile Phone|Other Phone|Pager|Primary Phone|Radio Phone|Telex|E-mail Address|E-mail Type|E-mail Display Name|E-mail 2 Address|Web Page",
			person: "First Name+Middle Name+Last Name", company: "Company", title: "Job Title", emails: "E-mail Address+E-mail 2 Address",
			phones:   "Business Phone+Business Phone 2+Car Phone+Company Main Phone+Home Phone+Mobile Phone+Other Phone+Primary Phone+Radio Phone",
			websites: "Web Page", country: "Business Country/Region",
		},
		{
			name: "Outlook German",
			columns: "Anrede|Vorname|Weitere Vornamen|Nachname|Firma|Abteilung|Position|Straße geschäftlich|Ort geschäftlich|Land/Region geschäftlich|Fax geschäftlich|Telefon geschäftlich|" +
				"Telefon geschäftlich 2|Autotelefon|Telefon Firma|Telefon privat|Mobiltelefon|Weiteres Telefon|Pager|Haupttelefon|E-Mail-Adresse|E-Mail-Typ|E-Mail: Angezeigter Name|E-Mail 2: Adresse|Webseite",
			person: "Vorname+Weitere Vornamen+Nachname", company: "Firma", title: "Position", emails: "E-Mail-Adresse+E-Mail 2: Adresse",
			phones:   "Telefon geschäftlich+Telefon geschäftlich 2+Autotelefon+Telefon Firma+Telefon privat+Mobiltelefon+Weiteres Telefon+Haupttelefon",
			websites: "Webseite", country: "Land/Region geschäftlich",
		},
		{
			name: "Outlook French",
			columns: "Titre|Prénom|Deuxième prénom|Nom|Société|Service|Profession|Rue (bureau)|Ville (bureau)|Pays/Région (bureau)|Télécopie (bureau)|Téléphone (bureau)|Téléphone 2 (bureau)|" +
				"Téléphone (voiture)|Téléphone société|Téléphone (domicile)|Téléphone mobile|Téléphone (autre)|Téléphone principal|Télex|Adresse de messagerie|Type de messagerie|Adresse de messagerie 2|Page Web",
			person: "Prénom+Deuxième prénom+Nom", company: "Société", title: "Profession", emails: "Adresse de messagerie+Adresse de messagerie 2",
			phones:   "Téléphone (bureau)+Téléphone 2 (bureau)+Téléphone (voiture)+Téléphone société+Téléphone (domicile)+Téléphone mobile+Téléphone (autre)+Téléphone principal",
			websites: "Page Web", country: "Pays/Région (bureau)",
		},
		{
			name: "Outlook Spanish",
			columns: "Tratamiento|Nombre|Segundo nombre|Apellidos|Compañía|Departamento|Puesto|Calle del trabajo|Ciudad de trabajo|País o región del trabajo|Teléfono del ayudante|Fax del trabajo|" +
				"Teléfono del trabajo|Teléfono del trabajo 2|Teléfono del automóvil|Teléfono particular|Teléfono móvil|Otro teléfono|Teléfono principal|Dirección de correo electrónico|Tipo de correo electrónico|Página Web",
			person: "Nombre+Segundo nombre+Apellidos", company: "Compañía", title: "Puesto", emails: "Dirección de correo electrónico",
			phones:   "Teléfono del trabajo+Teléfono del trabajo 2+Teléfono del automóvil+Teléfono particular+Teléfono móvil+Otro teléfono+Teléfono principal",
			websites: "Página Web", country: "País o región del trabajo",
		},
		{
			name: "Outlook Italian",
			columns: "Titolo|Nome|Secondo nome|Cognome|Società|Reparto|Posizione|Via (uff.)|Città (uff.)|Paese (uff.)|Telefono assistente|Fax (uff.)|Telefono (uff.)|Telefono (ab.)|Cellulare|Altro telefono|" +
				"Telefono principale società|Indirizzo posta elettronica|Tipo posta elettronica|Indirizzo posta elettronica 2|Pagina Web",
			person: "Nome+Secondo nome+Cognome", company: "Società", title: "Posizione", emails: "Indirizzo posta elettronica+Indirizzo posta elettronica 2",
			phones: "Telefono (uff.)+Telefono (ab.)+Cellulare+Altro telefono+Telefono principale società", websites: "Pagina Web", country: "Paese (uff.)",
		},
		{
			name: "Outlook Portuguese",
			columns: "Título|Primeiro Nome|Nome do Meio|Último Nome|Empresa|Departamento|Cargo|Rua do Endereço Comercial|Cidade do Endereço Comercial|País/Região do Endereço Comercial|Telefone do Assistente|" +
				"Fax Comercial|Telefone Comercial|Telefone Comercial 2|Telefone do Carro|Telefone Principal da Empresa|Telefone Residencial|Telefone Celular|Telemóvel|Outro Telefone|Endereço de Email|Tipo de Email|Página da Web",
			person: "Primeiro Nome+Nome do Meio+Último Nome", company: "Empresa", title: "Cargo", emails: "Endereço de Email",
			phones:   "Telefone Comercial+Telefone Comercial 2+Telefone do Carro+Telefone Principal da Empresa+Telefone Residencial+Telefone Celular+Telemóvel+Outro Telefone",
			websites: "Página da Web", country: "País/Região do Endereço Comercial",
		},
		{
			name: "Outlook Dutch",
			columns: "Titel|Voornaam|Middelste naam|Achternaam|Bedrijf|Afdeling|Functie|Werkadres, straat|Werkadres, plaats|Werkadres, land/regio|Telefoon assistent|Fax op werk|Telefoon op werk|" +
				"Telefoon op werk 2|Autotelefoon|Hoofdtelefoon bedrijf|Telefoon thuis|Mobiele telefoon|Andere telefoon|Hoofdtelefoon|E-mailadres|E-mailtype|E-mailadres 2|Webpagina",
			person: "Voornaam+Middelste naam+Achternaam", company: "Bedrijf", title: "Functie", emails: "E-mailadres+E-mailadres 2",
			phones:   "Telefoon op werk+Telefoon op werk 2+Autotelefoon+Hoofdtelefoon bedrijf+Telefoon thuis+Mobiele telefoon+Andere telefoon+Hoofdtelefoon",
			websites: "Webpagina", country: "Werkadres, land/regio",
		},
		{
			name:    "HubSpot",
			columns: "Record ID|First Name|Last Name|Email|Phone Number|Mobile Phone Number|Contact owner|Associated Company|Job Title|Website URL|Country/Region|Lead Status|Create Date",
			person:  "First Name+Last Name", company: "Associated Company", title: "Job Title", emails: "Email", phones: "Phone Number+Mobile Phone Number",
			websites: "Website URL", country: "Country/Region", id: "Record ID",
		},
		{
			name:    "HubSpot German",
			columns: "Datensatz-ID|Vorname|Nachname|E-Mail|Telefonnummer|Mobiltelefonnummer|Unternehmensname|Jobtitel|Website-URL|Land/Region",
			person:  "Vorname+Nachname", company: "Unternehmensname", title: "Jobtitel", emails: "E-Mail", phones: "Telefonnummer+Mobiltelefonnummer",
			websites: "Website-URL", country: "Land/Region", id: "Datensatz-ID",
		},
		{
			name:    "HubSpot French",
			columns: "ID de fiche d'informations|Prénom|Nom|E-mail|Numéro de téléphone|Numéro de téléphone portable|Nom de l'entreprise|Intitulé de poste|URL du site web|Pays/région",
			person:  "Prénom+Nom", company: "Nom de l'entreprise", title: "Intitulé de poste", emails: "E-mail", phones: "Numéro de téléphone+Numéro de téléphone portable",
			websites: "URL du site web", country: "Pays/région", id: "ID de fiche d'informations",
		},
		{
			name:    "HubSpot Spanish",
			columns: "ID de registro|Nombre|Apellidos|Correo|Número de teléfono|Número de teléfono móvil|Nombre de la empresa|Cargo|URL del sitio web|País/región",
			person:  "Nombre+Apellidos", company: "Nombre de la empresa", title: "Cargo", emails: "Correo", phones: "Número de teléfono+Número de teléfono móvil",
			websites: "URL del sitio web", country: "País/región", id: "ID de registro",
		},
		{
			name:    "HubSpot Italian",
			columns: "ID record|Nome|Cognome|E-mail|Numero di telefono|Numero di cellulare|Nome azienda|Qualifica|URL sito web|Paese/area geografica",
			person:  "Nome+Cognome", company: "Nome azienda", title: "Qualifica", emails: "E-mail", phones: "Numero di telefono+Numero di cellulare",
			websites: "URL sito web", country: "Paese/area geografica", id: "ID record",
		},
		{
			name:    "HubSpot Portuguese",
			columns: "ID do registro|Nome|Sobrenome|E-mail|Número de telefone|Número de celular|Nome da empresa|Cargo|URL do site|País/Região",
			person:  "Nome+Sobrenome", company: "Nome da empresa", title: "Cargo", emails: "E-mail", phones: "Número de telefone+Número de celular",
			websites: "URL do site", country: "País/Região", id: "ID do registro",
		},
		{
			name:    "HubSpot Dutch",
			columns: "Record-ID|Voornaam|Achternaam|E-mailadres|Telefoonnummer|Mobiel telefoonnummer|Bedrijfsnaam|Functie|Website-URL|Land/regio",
			person:  "Voornaam+Achternaam", company: "Bedrijfsnaam", title: "Functie", emails: "E-mailadres", phones: "Telefoonnummer+Mobiel telefoonnummer",
			websites: "Website-URL", country: "Land/regio", id: "Record-ID",
		},
		{
			name:    "Salesforce",
			columns: "Contact ID|Salutation|First Name|Last Name|Account Name|Title|Phone|Mobile|Home Phone|Other Phone|Asst. Phone|Fax|Email|Mailing Street|Mailing City|Mailing Country|Email Opt Out",
			person:  "First Name+Last Name", company: "Account Name", title: "Title", emails: "Email", phones: "Phone+Mobile+Home Phone+Other Phone",
			country: "Mailing Country", id: "Contact ID",
		},
		{
			name:    "Salesforce API names",
			columns: "Id|FirstName|LastName|Title|Phone|MobilePhone|HomePhone|OtherPhone|AssistantPhone|Fax|Email|MailingCountry|IsEmailBounced",
			person:  "FirstName+LastName", title: "Title", emails: "Email", phones: "Phone+MobilePhone+HomePhone+OtherPhone", country: "MailingCountry", id: "Id",
		},
		{
			name:    "Salesforce Spanish",
			columns: "Id. del contacto|Nombre|Apellidos|Nombre de la cuenta|Teléfono|Móvil|Teléfono particular|Correo electrónico",
			person:  "Nombre+Apellidos", company: "Nombre de la cuenta", emails: "Correo electrónico", phones: "Teléfono+Móvil+Teléfono particular", id: "Id. del contacto",
		},
		{
			name:    "Outlook Portuguese, of Portugal",
			columns: "Primeiro Nome|Apelido|Empresa|Rua da empresa|Cidade da empresa|País/Região da empresa|Telefone da empresa|Telemóvel|Endereço de correio eletrónico|Endereço de correio eletrónico 2|Tipo de correio eletrónico",
			person:  "Primeiro Nome+Apelido", company: "Empresa", phones: "Telefone da empresa+Telemóvel",
			emails: "Endereço de correio eletrónico+Endereço de correio eletrónico 2", country: "País/Região da empresa",
		},
		{
			name:    "Outlook Spanish, with the home phone's short name",
			columns: "Nombre|Apellidos|Organización|Número de centralita de la organización|Fax particular|Particular|Número de teléfono 2 particular|Móvil",
			person:  "Nombre+Apellidos", company: "Organización", phones: "Número de centralita de la organización+Particular+Número de teléfono 2 particular+Móvil",
		},
		{
			name:    "HubSpot French, the job title's longer name",
			columns: "Prénom|Nom|Intitulé du poste|Numéro de téléphone", person: "Prénom+Nom", title: "Intitulé du poste", phones: "Numéro de téléphone",
		},
		{
			name:    "Apple",
			columns: "First name|Last name|Company|Phone (mobile)|Phone (iPhone)|Phone (home)|Phone (work)|Phone (main)|Home fax|Email (home)|Email (work)|URL (homepage)|Country",
			person:  "First name+Last name", company: "Company", emails: "Email (home)+Email (work)",
			phones: "Phone (mobile)+Phone (iPhone)+Phone (home)+Phone (work)+Phone (main)", websites: "URL (homepage)", country: "Country",
		},
		{
			name: "Google, the older header",
			columns: "Name|Given Name|Additional Name|Family Name|Yomi Name|Name Prefix|Nickname|Birthday|Notes|Group Membership|E-mail 1 - Type|E-mail 1 - Value|Phone 1 - Type|Phone 1 - Value|" +
				"Phone 2 - Type|Phone 2 - Value|Address 1 - Type|Address 1 - Formatted|Address 1 - Country|Organization 1 - Type|Organization 1 - Name|Organization 1 - Title|Website 1 - Value",
			person: "Given Name+Additional Name+Family Name", company: "Organization 1 - Name", title: "Organization 1 - Title", emails: "E-mail 1 - Value",
			phones: "Phone 1 - Value+Phone 2 - Value", websites: "Website 1 - Value", country: "Address 1 - Country",
		},
		{
			name:    "Salesforce German",
			columns: "Kontakt-ID|Anrede|Vorname|Nachname|Accountname|Titel|Telefon|Mobiltelefon|Telefon privat|Weiteres Telefon|Telefon Assistent|Fax|E-Mail|Postanschrift: Straße|Postanschrift: Ort|Postanschrift: Land",
			person:  "Vorname+Nachname", company: "Accountname", emails: "E-Mail", phones: "Telefon+Mobiltelefon+Telefon privat+Weiteres Telefon",
			country: "Postanschrift: Land", id: "Kontakt-ID", // "Titel" is Dr. in most files
		},
		{
			name:    "Salesforce French",
			columns: "ID du contact|Prénom|Nom|Nom du compte|Fonction|Téléphone|Mobile|Téléphone domicile|Autre téléphone|Téléphone assistant|Télécopie|E-mail|Pays (adresse postale)",
			person:  "Prénom+Nom", company: "Nom du compte", title: "Fonction", emails: "E-mail", phones: "Téléphone+Mobile+Téléphone domicile+Autre téléphone",
			country: "Pays (adresse postale)", id: "ID du contact",
		},
		{
			name:    "Salesforce Italian",
			columns: "ID referente|Nome|Cognome|Nome account|Qualifica|Telefono|Cellulare|Telefono abitazione|Altro telefono|Telefono assistente|Email|Paese",
			person:  "Nome+Cognome", company: "Nome account", title: "Qualifica", emails: "Email", phones: "Telefono+Cellulare+Telefono abitazione+Altro telefono", country: "Paese", id: "ID referente",
		},
		{
			name:    "Salesforce Portuguese",
			columns: "ID do contato|Nome|Sobrenome|Nome da conta|Cargo|Telefone|Celular|Telefone residencial|Outro telefone|Telefone do assistente|Email|País",
			person:  "Nome+Sobrenome", company: "Nome da conta", title: "Cargo", emails: "Email", phones: "Telefone+Celular+Telefone residencial+Outro telefone", country: "País", id: "ID do contato",
		},
		{
			name:    "Salesforce Dutch",
			columns: "Contactpersoon-ID|Voornaam|Achternaam|Accountnaam|Functie|Telefoon|Mobiel|Telefoon thuis|Andere telefoon|Telefoon assistent|E-mail|Land",
			person:  "Voornaam+Achternaam", company: "Accountnaam", title: "Functie", emails: "E-mail", phones: "Telefoon+Mobiel+Telefoon thuis+Andere telefoon", country: "Land", id: "Contactpersoon-ID",
		},
		{
			name:    "Apple German",
			columns: "Vorname|Nachname|Firma|Telefon (Mobil)|iPhone|Telefon (Privat)|Telefon (Arbeit)|Telefon (Haupt)|Fax (Arbeit)|E-Mail (Privat)|E-Mail (Arbeit)|URL (Homepage)|Land",
			person:  "Vorname+Nachname", company: "Firma", emails: "E-Mail (Privat)+E-Mail (Arbeit)", phones: "Telefon (Mobil)+iPhone+Telefon (Privat)+Telefon (Arbeit)+Telefon (Haupt)",
			websites: "URL (Homepage)", country: "Land",
		},
		{
			name:    "Apple French",
			columns: "Prénom|Nom|Société|Téléphone (portable)|Téléphone (domicile)|Téléphone (bureau)|Téléphone (principal)|Fax (bureau)|E-mail (domicile)|E-mail (bureau)|Pays",
			person:  "Prénom+Nom", company: "Société", emails: "E-mail (domicile)+E-mail (bureau)", phones: "Téléphone (portable)+Téléphone (domicile)+Téléphone (bureau)+Téléphone (principal)", country: "Pays",
		},
		{
			name:    "Apple Spanish",
			columns: "Nombre|Apellidos|Empresa|Teléfono (móvil)|Teléfono (casa)|Teléfono (trabajo)|Teléfono (principal)|Fax (trabajo)|Correo electrónico (casa)|Correo electrónico (trabajo)|País",
			person:  "Nombre+Apellidos", company: "Empresa", emails: "Correo electrónico (casa)+Correo electrónico (trabajo)", phones: "Teléfono (móvil)+Teléfono (casa)+Teléfono (trabajo)+Teléfono (principal)", country: "País",
		},
		{
			name:    "Apple Italian",
			columns: "Nome|Cognome|Azienda|Telefono (cellulare)|Telefono (casa)|Telefono (lavoro)|Telefono (principale)|Fax (lavoro)|E-mail (casa)|E-mail (lavoro)|Paese",
			person:  "Nome+Cognome", company: "Azienda", emails: "E-mail (casa)+E-mail (lavoro)", phones: "Telefono (cellulare)+Telefono (casa)+Telefono (lavoro)+Telefono (principale)", country: "Paese",
		},
		{
			name:    "Apple Portuguese",
			columns: "Nome|Apelido|Empresa|Telefone (telemóvel)|Telefone (casa)|Telefone (trabalho)|Telefone (principal)|Fax (trabalho)|E-mail (casa)|E-mail (trabalho)|País",
			person:  "Nome+Apelido", company: "Empresa", emails: "E-mail (casa)+E-mail (trabalho)", phones: "Telefone (telemóvel)+Telefone (casa)+Telefone (trabalho)+Telefone (principal)", country: "País",
		},
		{
			name:    "Apple Dutch",
			columns: "Voornaam|Achternaam|Bedrijf|Telefoon (mobiel)|Telefoon (thuis)|Telefoon (werk)|Telefoon (hoofdnummer)|Fax (werk)|E-mail (thuis)|E-mail (werk)|Land",
			person:  "Voornaam+Achternaam", company: "Bedrijf", emails: "E-mail (thuis)+E-mail (werk)", phones: "Telefoon (mobiel)+Telefoon (thuis)+Telefoon (werk)+Telefoon (hoofdnummer)", country: "Land",
		},
		{name: "lists of their own", columns: "id|name|phones|emails|tel_mobile|websites", person: "name", phones: "phones+tel_mobile", emails: "emails", websites: "websites", id: "id"},
		{
			name:    "what only looks like it",
			columns: "email_verified|phone_type|phone_verified|email opt in|mobile_app|Telefax|Téléphone de l'assistant|tel_consent|website_visits|email_count|pager|cell_count",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			guess := record.Usual(strings.Split(test.columns, "|"))
			got := map[string]string{}
			for _, f := range guess.Fields {
				got[f.Field] = strings.Join(f.Columns, "+")
			}
			for _, want := range [][2]string{
				{record.FieldName, test.person},
				{record.FieldCompany, test.company},
				{record.FieldEmails, test.emails},
				{record.FieldPhones, test.phones},
				{record.FieldWebsites, test.websites},
				{record.FieldTitle, test.title},
			} {
				if got[want[0]] != want[1] {
					t.Errorf("%s is %q, want %q", want[0], got[want[0]], want[1])
				}
			}
			if guess.Country != test.country || guess.ID != test.id {
				t.Errorf("country %q, id %q, want %q, %q", guess.Country, guess.ID, test.country, test.id)
			}
		})
	}
}

// TestPartsOfAnAddressAreOfOneAddress: the street of one address never comes with the city of another.
func TestPartsOfAnAddressAreOfOneAddress(t *testing.T) {
	for columns, want := range map[string]string{
		"Home Street|Home City|Home State|Home Postal Code|Home Country/Region|Business Street|Business City|Business State|Business Postal Code|Business Country/Region": "Business Street+Business Postal Code+Business City+Business State+Business Country/Region",
		"Home Street|Home City|Home Postal Code|Other Street":                                                                    "Home Street+Home Postal Code+Home City",
		"Mailing Street|Mailing City|Mailing State/Province|Mailing Zip/Postal Code|Mailing Country|Billing Street|Billing City": "Mailing Street+Mailing Zip/Postal Code+Mailing City+Mailing State/Province+Mailing Country",
		"Straße privat|Ort privat|Postleitzahl privat|Straße geschäftlich|Ort geschäftlich|Postleitzahl geschäftlich":            "Straße geschäftlich+Postleitzahl geschäftlich+Ort geschäftlich",
		"Rue (domicile)|Ville (domicile)|Rue (bureau)|Ville (bureau)":                                                            "Rue (bureau)+Ville (bureau)",
		"Calle particular|Ciudad particular|Calle del trabajo|Ciudad de trabajo":                                                 "Calle del trabajo+Ciudad de trabajo",
		"Via (ab.)|Città (ab.)|Via (uff.)|Città (uff.)":                                                                          "Via (uff.)+Città (uff.)",
	} {
		got := ""
		for _, f := range record.Usual(strings.Split(columns, "|")).Fields {
			if f.Field == record.FieldAddress {
				got = strings.Join(f.Columns, "+")
			}
		}
		if got != want {
			t.Errorf("address of %s is %q, want %q", columns, got, want)
		}
	}
}
