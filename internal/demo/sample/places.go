package sample

// A shape is how a number is written in its country: x is any digit, n one from 2 to 9. trunk is how many digits in front
// are dialled only inside the country.
type shape struct {
	national string
	trunk    int
}

// A place is a country with what people and numbers look like there.
type place struct {
	region, code     string
	first, last      []string
	cities           []string
	companyForms     []string
	landline, mobile []shape
}

var (
	companyWords = []string{
		"Aurora", "Birch", "Cobalt", "Delta", "Ember", "Fjord", "Granite", "Harbor", "Iris", "Juniper", "Kestrel", "Lumen",
		"Meridian", "Nimbus", "Onyx", "Pioneer", "Quartz", "Ridge", "Summit", "Tidal", "Umbra", "Vertex", "Willow", "Zenith",
	}
	titles = []string{"CTO", "Head of Support", "Buyer", "Office manager", "Owner", "Accountant", "Sales lead", "Engineer", "Director"}
	plans  = []string{"Free", "Team", "Business", "Enterprise"}
)

var places = []place{
	{
		region: "US", code: "1",
		first:    []string{"James", "Mary", "Robert", "Patricia", "Michael", "Jennifer", "Latoya", "Diego", "Ashley", "Kevin", "Emily", "Tyrone"},
		last:     []string{"Smith", "Johnson", "Williams", "Brown", "Garcia", "Miller", "Davis", "Rodriguez", "O'Neill", "Lee", "Walker", "Nguyen"},
		cities:   []string{"San Francisco", "New York", "Chicago", "Austin"},
		landline: []shape{{"(415) 5n5-xxxx", 0}, {"(212) 5n5-xxxx", 0}, {"312-6nn-xxxx", 0}, {"512.4nn.xxxx", 0}}, mobile: []shape{{"(917) nn7-xxxx", 0}, {"650-nn3-xxxx", 0}},
		companyForms: []string{"Inc.", "LLC", "Corp."},
	},
	{
		region: "GB", code: "44",
		first:    []string{"Oliver", "Amelia", "George", "Isla", "Harry", "Ava", "Noah", "Priya", "Siân", "Callum"},
		last:     []string{"Jones", "Taylor", "Davies", "Evans", "Thomas", "Roberts", "Wright", "Patel", "MacDonald", "Hughes"},
		cities:   []string{"London", "Manchester", "Edinburgh", "Cardiff"},
		landline: []shape{{"020 7946 xxxx", 1}, {"0161 496 xxxx", 1}, {"0131 496 xxxx", 1}}, mobile: []shape{{"07400 1xxxxx", 1}, {"07911 1xxxxx", 1}},
		companyForms: []string{"Ltd", "plc"},
	},
	{
		region: "DE", code: "49",
		first:    []string{"Jürgen", "Anna", "Lukas", "Sophie", "Björn", "Käthe", "Maximilian", "Zoë", "Heike", "Emre"},
		last:     []string{"Müller", "Schmidt", "Schneider", "Weiß", "Fischer", "Krüger", "Becker", "Yılmaz", "Schäfer", "Vogel"},
		cities:   []string{"Berlin", "München", "Hamburg", "Köln"},
		landline: []shape{{"030 2nxxxxxx", 1}, {"089/5nxxxxxx", 1}, {"040-3nxxxxxx", 1}, {"0221 9nxxxxxx", 1}}, mobile: []shape{{"0151 2nxxxxxx", 1}, {"0171-3nxxxxx", 1}},
		companyForms: []string{"GmbH", "AG", "GmbH & Co. KG"},
	},
	{
		region: "PT", code: "351",
		first:    []string{"João", "Inês", "Gonçalo", "Mariana", "Tiago", "Beatriz", "Luís", "Conceição"},
		last:     []string{"Silva", "Santos", "Ferreira", "Gonçalves", "Simões", "Araújo", "Magalhães", "Costa"},
		cities:   []string{"Lisboa", "Porto", "Braga"},
		landline: []shape{{"213 xxx xxx", 0}, {"222 0xx xxx", 0}}, mobile: []shape{{"912 xxx xxx", 0}, {"963 xxx xxx", 0}},
		companyForms: []string{"Lda.", "S.A."},
	},
	{
		region: "FR", code: "33",
		first:    []string{"Camille", "Hélène", "Louis", "François", "Chloé", "Gaëlle", "Antoine", "Noémie"},
		last:     []string{"Martin", "Bernard", "Lefèvre", "Dubois", "Moreau", "Garçon", "Rousseau", "d'Alembert"},
		cities:   []string{"Paris", "Lyon", "Marseille"},
		landline: []shape{{"01 42 xx xx xx", 1}, {"04.78.xx.xx.xx", 1}}, mobile: []shape{{"06 12 xx xx xx", 1}, {"06.98.xx.xx.xx", 1}},
		companyForms: []string{"SARL", "SAS", "S.A."},
	},
	{
		region: "ES", code: "34",
		first:    []string{"Lucía", "Hugo", "Martín", "Sofía", "Íñigo", "Begoña", "José", "Ángela"},
		last:     []string{"García", "Fernández", "Muñoz", "Ibáñez", "Núñez", "Ruiz", "Peña", "Vázquez"},
		cities:   []string{"Madrid", "Barcelona", "Sevilla"},
		landline: []shape{{"91 5xx xx xx", 0}, {"933 xxx xxx", 0}}, mobile: []shape{{"612 xxx xxx", 0}, {"655 xx xx xx", 0}},
		companyForms: []string{"S.L.", "S.A."},
	},
	{
		region: "BR", code: "55",
		first:    []string{"Ana", "Thiago", "Júlia", "Caio", "Larissa", "Antônio", "Érica", "Paulo"},
		last:     []string{"Souza", "Oliveira", "Pereira", "Conceição", "Araújo", "Lima", "Gonçalves", "Rocha"},
		cities:   []string{"São Paulo", "Rio de Janeiro", "Recife"},
		landline: []shape{{"(11) 3xxx-xxxx", 0}, {"(21) 2xxx-xxxx", 0}}, mobile: []shape{{"(11) 9 8xxx-xxxx", 0}, {"(21) 99xxx-xxxx", 0}},
		companyForms: []string{"Ltda.", "S.A."},
	},
	{
		region: "JP", code: "81",
		first:    []string{"健太", "美咲", "翔", "葵", "大輔", "結衣", "拓也", "陽子"},
		last:     []string{"佐藤", "鈴木", "高橋", "田中", "渡辺", "伊藤", "山本", "中村"},
		cities:   []string{"東京", "大阪", "名古屋"},
		landline: []shape{{"03-5nxx-xxxx", 1}, {"06-6nxx-xxxx", 1}}, mobile: []shape{{"090-1nxx-xxxx", 1}, {"080-3nxx-xxxx", 1}},
		companyForms: []string{"株式会社", "合同会社"},
	},
	{
		region: "PL", code: "48",
		first:    []string{"Łukasz", "Zofia", "Paweł", "Agnieszka", "Michał", "Małgorzata", "Jakub", "Świętosława"},
		last:     []string{"Nowak", "Wiśniewski", "Wójcik", "Kowalczyk", "Zieliński", "Dąbrowska", "Szymański", "Brzęczyszczykiewicz"},
		cities:   []string{"Warszawa", "Kraków", "Łódź"},
		landline: []shape{{"22 5xx xx xx", 0}, {"12 4xx xx xx", 0}}, mobile: []shape{{"501 xxx xxx", 0}, {"602-xxx-xxx", 0}},
		companyForms: []string{"Sp. z o.o.", "S.A."},
	},
	{
		region: "IT", code: "39",
		first:    []string{"Giulia", "Luca", "Niccolò", "Chiara", "Matteo", "Letizia", "Giosuè", "Sara"},
		last:     []string{"Rossi", "Russo", "Ferrari", "Esposito", "D'Angelo", "Bianchi", "Cantù", "De Luca"},
		cities:   []string{"Roma", "Milano", "Napoli"},
		landline: []shape{{"06 6nxxxxxx", 0}, {"02 4nxxxxxx", 0}}, mobile: []shape{{"347 xxx xxxx", 0}, {"333 xxxxxxx", 0}},
		companyForms: []string{"S.r.l.", "S.p.A."},
	},
	{
		region: "IN", code: "91",
		first:    []string{"Aarav", "Diya", "अर्जुन", "Ananya", "Rohan", "Kavya", "Vikram", "सुनीता"},
		last:     []string{"Sharma", "Iyer", "Gupta", "Reddy", "Singh", "Banerjee", "Nair", "Mehta"},
		cities:   []string{"Mumbai", "Bengaluru", "Delhi"},
		landline: []shape{{"022 2nxx xxxx", 1}, {"080-4nxx-xxxx", 1}}, mobile: []shape{{"98xxx xxxxx", 0}, {"097xxx xxxxx", 1}},
		companyForms: []string{"Pvt. Ltd.", "Ltd."},
	},
	{
		region: "AE", code: "971",
		first:    []string{"محمد", "فاطمة", "Omar", "Layla", "خالد", "Noura"},
		last:     []string{"المنصوري", "Al Farsi", "الهاشمي", "Haddad", "Rahman", "Khoury"},
		cities:   []string{"Dubai", "Abu Dhabi"},
		landline: []shape{{"04 3nx xxxx", 1}, {"02 6nx xxxx", 1}}, mobile: []shape{{"050 6nx xxxx", 1}, {"055 4nx xxxx", 1}},
		companyForms: []string{"LLC", "FZE"},
	},
	{
		region: "AU", code: "61",
		first:    []string{"Jack", "Charlotte", "Lachlan", "Mia", "Cooper", "Ruby"},
		last:     []string{"Wilson", "Kelly", "Nguyen", "Campbell", "Papadopoulos", "Ryan"},
		cities:   []string{"Sydney", "Melbourne", "Perth"},
		landline: []shape{{"(02) 9nxx xxxx", 1}, {"03 8nxx xxxx", 1}}, mobile: []shape{{"0412 xxx xxx", 1}, {"0405 xxx xxx", 1}},
		companyForms: []string{"Pty Ltd"},
	},
}
