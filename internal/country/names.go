package country

// alsoWritten are names that are in use and that CLDR does not have, or has for one language only.
var alsoWritten = map[string]string{
	"AE": "UAE, U.A.E., Emirates, United Arab Emirates, VAE, EAU",
	"BA": "Bosnia, Bosnien",
	"BO": "Plurinational State of Bolivia",
	"BR": "Brasil",
	"CD": "Democratic Republic of the Congo, DR Congo, DRC, Zaire",
	"CG": "Republic of the Congo, Congo",
	"CH": "Swiss Confederation, Switzerland, Suisse, Svizzera, Schweiz",
	"CI": "Ivory Coast, Elfenbeinküste, Costa de Marfil, Costa d'Avorio, Costa do Marfim, Ivoorkust",
	"CN": "PRC, PR China, P.R. China, People's Republic of China, Mainland China, Volksrepublik China",
	"CV": "Cape Verde, Kap Verde, Cap-Vert",
	"CZ": "Czech Republic, Czechia, Tschechische Republik, République tchèque, República Checa, Repubblica Ceca, Tsjechië",
	"DE": "Federal Republic of Germany, Bundesrepublik Deutschland, BRD, Deutschland",
	"ES": "España, Kingdom of Spain",
	"FK": "Falklands, Malvinas",
	"FM": "Micronesia",
	"FR": "Frankreich, French Republic",
	"GB": "UK, U.K., England, Scotland, Wales, Northern Ireland, Great Britain, Britain, United Kingdom of Great Britain and Northern Ireland, " +
		"Großbritannien, Schottland, Nordirland, Angleterre, Écosse, Pays de Galles, Irlande du Nord, Grande-Bretagne, Inglaterra, Escocia, " +
		"Gales, Irlanda del Norte, Gran Bretaña, Inghilterra, Scozia, Galles, Irlanda del Nord, Gran Bretagna, Escócia, País de Gales, " +
		"Irlanda do Norte, Grã-Bretanha, Engeland, Schotland, Noord-Ierland, Groot-Brittannië, Verenigd Koninkrijk, Großbritannien und Nordirland",
	"HK": "Hong Kong, Hongkong, Hong Kong SAR, HKSAR",
	"IE": "Republic of Ireland, Eire, Éire, Republik Irland",
	"IR": "Islamic Republic of Iran",
	"KP": "DPRK, North Korea, Democratic People's Republic of Korea",
	"KR": "Korea, South Korea, Republic of Korea, Korea Republic of, Rep. of Korea, Südkorea, Corea",
	"LA": "Lao, Lao People's Democratic Republic",
	"LY": "Libyan Arab Jamahiriya",
	"MD": "Republic of Moldova, Moldavia",
	"MK": "Macedonia, FYROM, Republic of Macedonia, Mazedonien, Macédoine",
	"MM": "Burma, Birma",
	"MO": "Macau, Macao, Macao SAR",
	"NL": "Holland, The Netherlands, Netherlands, Nederland, Hollande, Olanda, Holanda, Paesi Bassi, Pays-Bas, Países Bajos, Países Baixos",
	"PS": "Palestine, State of Palestine, Palestinian Territory",
	"RU": "Russia, Russian Federation, Russische Föderation, Fédération de Russie",
	"SY": "Syrian Arab Republic",
	"SZ": "Swaziland",
	"TL": "East Timor, Osttimor",
	"TR": "Turkey, Türkiye, Turkiye, Turquie, Türkei",
	"TW": "Taiwan, Taiwan R.O.C., Taiwan Province of China, Chinese Taipei",
	"TZ": "United Republic of Tanzania",
	"US": "USA, U.S.A., U.S., United States, United States of America, America, EEUU, EE.UU., EUA, E.U.A., " +
		"Vereinigte Staaten, Vereinigte Staaten von Amerika, États-Unis d'Amérique, Estados Unidos de América, Stati Uniti d'America, " +
		"Estados Unidos da América, Verenigde Staten van Amerika, Amerika",
	"VA": "Vatican, Holy See",
	"VE": "Bolivarian Republic of Venezuela",
	"VI": "US Virgin Islands, U.S. Virgin Islands",
	"VG": "British Virgin Islands",
	"VN": "Viet Nam, Vietnam",
	"XK": "Kosovo",
}
