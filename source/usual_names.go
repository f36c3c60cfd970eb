package source

// The usual names as plainName makes them, the best first. English, and what German, French, Spanish, Portuguese and
// Italian systems write.
var (
	usualID = []string{
		"id", "uuid", "guid", "contactid", "customerid", "externalid", "clientid", "personid", "recordid", "userid",
		"kundennummer", "kundennr",
	}
	usualUpdated = []string{
		"updatedat", "modifiedat", "changedat", "lastmodifiedat", "lastmodified", "lastmodifieddate", "lastupdated",
		"lastupdatedat", "lastupdate", "updated", "modified", "changed", "updatedon", "modifiedon", "changedon", "updatetime",
		"modifiedtime", "modifieddate", "updateddate", "datemodified", "dateupdated", "lastchange", "lastchanged", "mtime",
		"systemmodstamp", "geandertam", "geaendertam", "anderungsdatum", "aenderungsdatum",
	}
	usualDeleted = []string{"deletedat", "deletedon", "removedat", "deleted", "isdeleted", "geloscht", "geloeschtam"}

	usualFullName   = []string{"fullname", "displayname", "contactname", "customername", "clientname", "nomcomplet", "nombrecompleto", "nomecompleto"}
	usualName       = []string{"name", "nombre", "nome", "nom"}
	usualMiddleName = []string{"middlename", "secondname"}
	usualNameParts  = []nameParts{
		{
			first: []string{"firstname", "givenname", "forename", "fname", "first"},
			last:  []string{"lastname", "familyname", "surname", "lname", "last"},
		},
		{first: []string{"vorname"}, last: []string{"nachname", "familienname", "name"}},
		{first: []string{"prenom"}, last: []string{"nomdefamille", "nom"}},
		{first: []string{"nombre", "nombres", "primernombre"}, last: []string{"apellidos", "apellido", "primerapellido"}},
		{first: []string{"nome", "primeironome"}, last: []string{"apelido", "sobrenome", "cognome"}},
	}

	usualTitle   = []string{"jobtitle", "title", "position", "role", "jobrole", "berufsbezeichnung", "poste", "cargo"}
	usualCompany = []string{
		"company", "companyname", "organization", "organisation", "organizationname", "organisationname", "accountname", "account",
		"employer", "business", "businessname", "firma", "firmenname", "unternehmen", "societe", "entreprise", "empresa", "azienda",
	}

	usualEmail = []string{"email", "emailaddress", "emailvalue", "mail", "correo", "correoelectronico", "courriel"}
	usualPhone = []string{
		"phone", "phonenumber", "phoneno", "phonevalue", "tel", "telephone", "telephonenumber", "telefon", "telefonnummer",
		"telefono", "telefone", "mobile", "mobilephone", "mobilenumber", "mobileno", "mobil", "mobiltelefon", "mobilnummer",
		"handy", "handynummer", "cell", "cellphone", "cellular", "celular", "movil", "telemovel", "landline", "festnetz", "msisdn",
	}
	usualQualifiers = []string{
		"work", "home", "private", "personal", "business", "office", "other", "primary", "secondary", "main", "alt", "alternate",
		"alternative", "additional", "contact", "customer", "company", "direct", "second", "day", "daytime", "evening",
		"privat", "arbeit", "geschaftlich", "geschaeftlich", "dienstlich", "buro",
	}
	usualWebsite = []string{"website", "websiteurl", "url", "homepage", "web", "webpage", "webaddress", "webseite", "siteweb", "sitioweb"}

	usualPhoto   = []string{"photourl", "photo", "avatarurl", "avatar", "pictureurl", "picture", "imageurl", "image", "profilepicture", "foto"}
	usualTwitter = []string{"twitter", "twitterhandle", "twitterusername", "twittername"}
	usualURL     = []string{"contacturl", "profileurl", "recordurl", "permalink"}

	usualFullAddress = []string{"fulladdress", "formattedaddress", "postaladdress", "anschrift"}
	usualStreet      = []string{
		"street", "streetaddress", "address", "address1", "addressline1", "street1", "mailingstreet", "billingstreet", "homestreet",
		"businessstreet", "strasse", "adresse", "rue", "calle", "direccion", "rua", "endereco", "indirizzo",
	}
	usualStreet2 = []string{"address2", "addressline2", "street2"}
	usualZip     = []string{
		"zip", "zipcode", "postalcode", "postcode", "mailingpostalcode", "billingpostalcode", "plz", "postleitzahl", "codepostal",
		"codigopostal", "cep", "cap",
	}
	usualCity    = []string{"city", "town", "mailingcity", "billingcity", "ort", "stadt", "ville", "ciudad", "cidade", "citta"}
	usualState   = []string{"state", "province", "stateprovince", "mailingstate", "billingstate", "bundesland", "provincia", "estado"}
	usualCountry = []string{"country", "countryname", "mailingcountry", "billingcountry", "land", "pays", "pais", "paese"}
)

// nameParts are the names of the columns of a person's first and last name, of one language.
type nameParts struct{ first, last []string }
