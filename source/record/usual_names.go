package record

// The usual names as plainName makes them, the best first. English, and what German, French, Spanish, Portuguese and
// Italian systems write.
var (
	usualID = []string{
		"id", "uuid", "guid", "contactid", "customerid", "externalid", "clientid", "personid", "recordid", "userid",
		"kundennummer", "kundennr", "datensatzid", "recordnumber", "idderegistro", "iddelregistro", "idrecord", "iddoregistro",
		"iddefichedinformations", "iddelafiche", "iddenregistrement", "kundenid", "klantnummer", "klantid", "numeroclient",
		"idclient", "idcliente", "codicecliente", "codigocliente", "contactnummer", "kontaktid", "idducontact", "iddelcontacto",
		"idreferente", "iddocontato", "iddocontacto", "contactpersoonid",
		"customernumber", "customerno", "customernr", "customercode", "clientnumber", "clientno", "clientnr", "clientcode", "membernumber", "memberno", "memberid",
		"kundenno", "kundencode", "kundenidentifikation", "debitorennummer", "debitorennr", "debitornummer", "debitornr", "mitgliedsnummer", "mitgliedsnr", "mitgliednr",
		"adressnummer", "adressnr", "nclient", "nrclient", "ndeclient", "ndclient", "numclient", "numerodeclient", "codeclient", "refclient", "referenceclient",
		"ncliente", "nocliente", "nrcliente", "nrocliente", "ndecliente", "nodecliente", "nrodecliente", "numcliente", "numerocliente", "numerodecliente", "codcliente",
		"codigodecliente", "numerosocio", "numerodesocio", "ndocliente", "nodocliente", "numerodocliente", "codigodocliente", "idcontatto", "codicecontatto", "codicedelcliente",
		"klantnr", "klantno", "klantcode", "relatienummer", "relatienr", "relatiecode", "debiteurnummer", "debiteurnr", "debiteurennummer", "lidnummer", "lidnr",
	}
	usualUpdated = []string{
		"updatedat", "modifiedat", "changedat", "lastmodifiedat", "lastmodified", "lastmodifieddate", "lastupdated",
		"lastupdatedat", "lastupdate", "updated", "modified", "changed", "updatedon", "modifiedon", "changedon", "updatetime",
		"modifiedtime", "modifieddate", "updateddate", "datemodified", "dateupdated", "lastchange", "lastchanged", "mtime",
		"systemmodstamp", "geandertam", "geaendertam", "anderungsdatum", "aenderungsdatum",
	}
	usualDeleted = []string{
		"deletedat", "deletedon", "deletedtime", "deleteddate", "deletiondate", "datedeleted", "removedat", "removedon", "deleted", "isdeleted", "removed",
		"isremoved", "softdeleted", "deletedflag", "deleteflag", "geloscht", "geloescht", "istgeloscht", "istgeloescht", "geloschtam", "geloeschtam",
		"loschdatum", "loeschdatum", "supprime", "supprimele", "estsupprime", "datedesuppression", "eliminado", "eliminadoel", "eliminadoem", "cancellato",
		"borrado", "excluido", "excluidoem", "verwijderd", "verwijderdop", "isverwijderd",
	}

	usualFullName = []string{
		"fullname", "displayname", "contactname", "customername", "clientname", "nomcomplet", "nombrecompleto", "nomecompleto",
		"vollstandigername", "vollername", "anzeigename", "nomevisualizzato", "volledigenaam", "weergavenaam", "contactfullname",
	}
	usualName = []string{
		"name", "nombre", "nome", "nom", "naam",
	}
	usualMiddleName = []string{
		"middlename", "secondname", "additionalname", "middleinitial", "weiterevornamen", "zweitervorname", "deuxiemeprenom",
		"segundonombre", "secondonome", "segundonome", "nomedomeio", "middelstenaam", "tweedenaam", "tussenvoegsel", "infix",
		"namenszusatz", "namenszusatze", "vorsatzwort",
	}
	usualNameParts = []nameParts{
		{
			first: []string{"firstname", "givenname", "forename", "fname", "first"},
			last:  []string{"lastname", "familyname", "surname", "lname", "last"},
		},
		{first: []string{"vorname"}, last: []string{"nachname", "familienname", "name"}},
		{first: []string{"prenom", "prenoms"}, last: []string{"nomdefamille", "nom"}},
		{first: []string{"nombre", "nombres", "primernombre"}, last: []string{"apellidos", "apellido", "primerapellido", "apellidospaternos"}},
		{
			first: []string{"primeironome", "nomeproprio", "primonome", "nomedebatismo", "nome"},
			last:  []string{"apelido", "apelidos", "sobrenome", "ultimonome", "cognome"},
		},
		{first: []string{"voornaam", "roepnaam"}, last: []string{"achternaam", "familienaam", "naam"}},
	}

	usualTitle = []string{
		"jobtitle", "title", "position", "role", "jobrole", "berufsbezeichnung", "poste", "cargo", "organizationtitle",
		"organization1title", "jobtitel", "funktion", "beruf", "stelle", "fonction", "intituleposte", "intituledeposte",
		"intituleduposte", "profession", "puesto", "ocupacion", "posizione", "posizionelavorativa", "qualifica", "ruolo",
		"mansione", "funcao", "functie", "functietitel", "beroep",
	}
	usualCompany = []string{
		"company", "companyname", "organization", "organisation", "organizationname", "organisationname", "accountname",
		"account", "employer", "business", "businessname", "org", "orgname", "firm", "firmname", "firma", "firmenname", "unternehmen", "societe", "entreprise",
		"empresa", "azienda", "organization1name", "associatedcompany", "companyorganization", "unternehmensname",
		"firmenbezeichnung", "nomdelentreprise", "nomentreprise", "nomdelasociete", "raisonsociale", "organisme", "compania",
		"nombredelaempresa", "nombreempresa", "organizacion", "razonsocial", "societa", "nomeazienda", "nomesocieta",
		"ragionesociale", "organizzazione", "nomedaempresa", "nomeempresa", "organizacao", "razaosocial", "bedrijf",
		"bedrijfsnaam", "organisatie", "organisatienaam", "namedesunternehmens", "nomducompte", "nombredelacuenta", "nomeaccount",
		"nomedaconta", "accountnaam",
	}

	usualEmail = []string{"email", "emailaddress", "emailvalue", "mail", "correo", "correoelectronico", "courriel"}
	usualPhone = []string{
		"phone", "phonenumber", "phoneno", "phonevalue", "tel", "telephone", "telephonenumber", "telefon", "telefonnummer",
		"telefono", "telefone", "mobile", "mobilephone", "mobilenumber", "mobileno", "mobil", "mobiltelefon", "mobilnummer",
		"handy", "handynummer", "cell", "cellphone", "cellular", "celular", "movil", "telemovel", "particular", "numerodecentralitadelaorganizacion", "landline", "festnetz", "msisdn",
	}
	usualQualifiers = []string{
		"work", "home", "private", "personal", "business", "office", "other", "primary", "secondary", "main", "alt", "alternate",
		"alternative", "additional", "contact", "customer", "company", "direct", "second", "day", "daytime", "evening",
		"privat", "arbeit", "geschaftlich", "geschaeftlich", "dienstlich", "buro",
	}
	usualWebsite = []string{"website", "websiteurl", "url", "homepage", "web", "webpage", "webaddress", "webseite", "siteweb", "sitioweb"}

	usualPhoto = []string{
		"photourl", "photo", "avatarurl", "avatar", "pictureurl", "picture", "imageurl", "image", "profilepicture", "foto",
		"photolink", "fotourl", "urlfoto",
	}
	usualTwitter = []string{"twitter", "twitterhandle", "twitterusername", "twittername"}
	usualURL     = []string{"contacturl", "profileurl", "recordurl", "permalink"}

	usualFullAddress = []string{
		"fulladdress", "formattedaddress", "postaladdress", "anschrift", "addressformatted", "address1formatted",
		"adressecomplete", "direccioncompleta", "indirizzocompleto", "enderecocompleto", "volledigadres",
	}
	usualStreet = []string{
		"street", "streetaddress", "address", "address1", "addressline1", "street1", "mailingstreet", "billingstreet",
		"businessstreet", "homestreet", "strasse", "adresse", "rue", "calle", "direccion", "rua", "endereco", "indirizzo",
		"address1street", "mailingstreetaddress", "strassegeschaftlich", "strassefirma", "strasseprivat", "adressepostale",
		"adresse1", "ruebureau", "ruedomicile", "calledeltrabajo", "calleparticular", "direccion1", "domicilio", "viauff",
		"viaab", "via", "indirizzo1", "ruadoenderecocomercial", "ruadoenderecoresidencial", "ruaempresa", "ruadaempresa", "logradouro", "morada",
		"werkadresstraat", "huisadresstraat", "straat", "straatnaam", "adres",
	}
	usualStreet2 = []string{
		"address2", "addressline2", "street2", "address1extendedaddress", "businessstreet2", "strassegeschaftlich2", "ruebureau2",
		"adresse2", "direccion2", "indirizzo2", "endereco2", "complemento",
	}
	usualZip = []string{
		"zip", "zipcode", "postalcode", "postcode", "mailingpostalcode", "mailingzippostalcode", "billingpostalcode", "billingzippostalcode", "plz", "postleitzahl", "codepostal",
		"codigopostal", "cep", "cap", "address1postalcode", "businesspostalcode", "homepostalcode", "postleitzahlgeschaftlich",
		"postleitzahlprivat", "codepostalbureau", "codepostaldomicile", "codigopostaldeltrabajo", "codigopostalparticular",
		"capuff", "capab", "codigopostaldaempresa", "cepdoenderecocomercial", "cepdoenderecoresidencial", "werkadrespostcode", "huisadrespostcode",
	}
	usualCity = []string{
		"city", "town", "mailingcity", "billingcity", "ort", "stadt", "ville", "ciudad", "cidade", "citta", "address1city",
		"businesscity", "homecity", "ortgeschaftlich", "ortprivat", "wohnort", "villebureau", "villedomicile", "ciudaddetrabajo",
		"ciudaddeltrabajo", "ciudadparticular", "localidad", "poblacion", "cittauff", "cittaab", "comune",
		"cidadedoenderecocomercial", "cidadedaempresa", "cidadedoenderecoresidencial", "localidade", "werkadresplaats", "huisadresplaats", "plaats",
		"woonplaats", "stad",
	}
	usualState = []string{
		"state", "province", "stateprovince", "mailingstate", "mailingstateprovince", "billingstate", "billingstateprovince", "bundesland", "provincia", "estado",
		"address1region", "stateregion", "businessstate", "homestate", "regiongeschaftlich", "bundeslandkantonprivat",
		"depregionbureau", "provinciaoestadodetrabajo", "provinciauff", "estadodoenderecocomercial", "werkadresprovincie",
		"provincie",
	}
	usualCountry = []string{
		"country", "countryname", "mailingcountry", "billingcountry", "land", "pays", "pais", "paese", "countryregion",
		"countrycode", "address1country", "businesscountryregion", "businesscountry", "homecountryregion", "homecountry",
		"othercountryregion", "mailingcountryregion", "othercountry", "nation", "landregion", "landregiongeschaftlich",
		"landregionprivat", "staat", "paysregion", "paysregionbureau", "paysbureau", "paysregiondomicile", "paysdomicile",
		"paisregion", "paisoregiondeltrabajo", "paisoregionparticular", "paisdeltrabajo", "paisdetrabajo", "paeseuff", "paeseab",
		"paeseregione", "paeseareageografica", "paeseoareageografica", "nazione", "paisregiaodoenderecocomercial",
		"paisregiaodoenderecoresidencial", "paisregiao", "paisregiaodaempresa", "werkadreslandregio", "werkadresland", "huisadreslandregio",
		"huisadresland", "landregio", "postanschriftland", "rechnungsanschriftland", "paysadressepostale", "paysadressedefacturation",
	}
)

// nameParts are the names of the columns of a person's first and last name, of one language.
type nameParts struct{ first, last []string }

// The words of the names of fields of which there may be several: what usual exports of Google, Outlook, HubSpot, Salesforce
// and Apple call them in English, German, French, Spanish, Italian, Portuguese and Dutch. Fax, telex and pager are not phones,
// and an assistant's phone is somebody else's.
var (
	phoneWords = newWordSet(`phone phones telephone telephones tel tels telefon telefone telefonnummer telefonnummern telefonnr rufnummer telefono telefoni
		telefonos telefones telefoon telefoonnummer telefoonnummers mobile mobiles mobil mobiltelefon mobiltelefonnummer mobilnummer mobilfunk mobilfunknummer
		mobiel mobiele mobieltje mobilephone cell cellphone cellular cellulare cellulari cel celular celulares movil moviles telemovel portable gsm handy
		handynummer iphone haupttelefon autotelefon zentrale durchwahl festnetz landline hoofdtelefoon hoofdtelefoonnummer autotelefoon radiotelefoon
		radiotelefon radiotelefono radiotelephone radiotelefone radioteléfono abitazione telefonbuero telefonprivat linefixe fixe fijo fisso vast msisdn
		phonenumber phonenumbers homephone workphone businessphone`,
		`number numbers no nr num nummer nummern nummers numero numeros rufnummer ttytdd tty tdd value valor valore waarde`)
	emailWords = newWordSet(`email emails mail mails emailadresse emailadressen emailadres emailadressen emailaddress mailadresse correo correos correio courriel
		courriels messagerie posta electronico elettronica`,
		`address addresses adresse adressen adres indirizzo indirizzi direccion direcciones endereco enderecos electronico electronica elettronica eletronico
		value valor valore waarde`)
	websiteWords = newWordSet(`website websites web webpage webseite webseiten webpagina webadresse homepage internetseite internet url urls`,
		`page pages accueil pagina site sites sitio sito seite adresse address value valor valore waarde`)

	qualifierWords = setOf(`work home private personal business office other primary secondary main alt alternate alternative additional contact customer
		company direct second day daytime evening car radio mobile
		privat private privates arbeit geschaftlich geschaeftlich dienstlich buro buero firma weiteres weitere weiterer haupt personliche auto kontakt kunde
		bureau domicile travail autre principal principale principaux societe voiture personnel personnelle professionnel professionnelle pro prive
		secondaire mobile entreprise perso
		trabajo particular casa oficina otro otra compania empresa automovil organizacion centralita personal laboral
		ufficio uff abitazione ab altro altra casa lavoro azienda societa personale aziendale
		comercial residencial outro outra empresa carro trabalho pessoal profissional
		werk thuis andere ander bedrijf kantoor zakelijk zakelijke prive hoofd hoofdnummer persoonlijke persoonlijk op
		de del della dello dell da do das dos der des du la le l el di d a of for the fur pour para per van voor en`)
)
