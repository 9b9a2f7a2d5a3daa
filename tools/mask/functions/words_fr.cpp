#include "tools/mask/functions/words.h"

namespace branchfs::mask {
namespace {

// clang-format off
BRANCHFS_LIST(kFirst, ' ',
R"(Aaron Abel Abélard Achille Adam Adèle Adélaïde Adeline Adelphe Adémar Adolphe Adrien Adrienne Agathe Agnès
Aimé Aimée Alain Alban Albane Albert Alberte Albertine Albin Alcide Aldric Alexandra Alexandre Alexandrine
Alexia Alexis Alfred Alice Alicia Aline Alistair Alix Aliénor Allan Alma Aloïs Alphonse Alphonsine
Amandine Amaury Ambre Ambroise Amélie Aminata Amir Anaël Anaëlle Anaïs Anastasie Anatole Andréa Andrée
André Ange Angèle Angélina Angéline Angélique Anicet Anita Anna Annabelle Annaëlle Anne Annette Annick
Annie Anouck Anouk Anselme Anthelme Anthony Antoine Antoinette Antonin Apolline Apollinaire Arcadie Ariane
Arielle Aristide Arlette Armand Armande Armandine Armel Armelle Arnaud Arnold Arsène Arthur Astrid
Athénaïs Aubert Aubin Aude Audrey Auguste Augustin Augustine Aurèle Aurélia Aurélie Aurélien Aurore Axel
Axelle Aymeric Aymon Aziz Balthazar Baptiste Baptistine Barbara Barnabé Barthélemy Basile Bastien
Bastienne Baudouin Béatrice Bénédicte Benjamin Benjamine Benoît Benoîte Bérangère Bérénice Bernadette
Bernard Bernardin Bernardine Berthe Bertille Bertrand Bertrande Bettina Bianca Bixente Blaise Blanche
Blandine Bleuenn Boris Brice Brieuc Brigitte Bruno Brune Brunehilde Calixte Calliste Camille Candice
Capucine Carine Carla Carole Caroline Casimir Cassandre Catherine Cathy Cécile Cécilia Cédric Céleste
Célestin Célestine Célia Célian Célie Céline César Césaire Césarine Chantal Charlène Charles Charlie
Charline Charlotte Chloé Christelle Christian Christiane Christine Christophe Cindy Clair Claire Clara
Clarence Clarisse Claude Claudette Claudia Claudie Claudine Claudius Clélia Clémence Clément Clémentine
Cléo Cléophée Clothilde Clotilde Clovis Colette Colin Coline Colombe Colombine Constance Constant
Constantin Coralie Coraline Corentin Corinne Cornélie Cosette Cyprien Cyprienne Cyr Cyriaque Cyriel
Cyrielle Cyril Cyrille Dagobert Dahlia Damien Dan Dana Daniel Daniela Danièle Danielle Danny Daphné David
Davy Déborah Delphin Delphine Denis Denise Désiré Désirée Diane Didier Dieudonné Dimitri Dolorès Dominique
Domitille Donatien Donatienne Dora Doriane Dorian Dorine Doris Dorothée Dylan Edgar Edgard Édith Edmée
Edmond Edmonde Édouard Édouardine Edwige Éléa Éléonore Élian Éliane Élie Éliette Éline Éliot Élisa
Élisabeth Élise Élisée Élodie Éloi Éloïse Elsa Elvire Émeline Émeric Émile Émilie Émilien Émilienne Emma
Emmanuel Emmanuelle Emmy Énora Enzo Éric Érica Erik Ernest Ernestine Ervan Erwan Erwann Esteban Estelle
Esther Étienne Étiennette Eudes Eugène Eugénie Eulalie Eurydice Eusèbe Éva Évan Évangéline Ève Évelyne
Évrard Fabien Fabienne Fabiola Fabrice Fanny Fantine Faustin Faustine Félicie Félicien Félicienne Félicité
Félix Ferdinand Fernand Fernande Ferréol Fidèle Firmin Firmine Flavie Flavien Fleur Flora Flore Florence
Florent Florentin Florentine Florian Floriane Florie Florimond Florine Fortuné Fortunée France Francette
Francine Francis Francisque Franck François Françoise Frank Frédéric Frédérique Gabin Gabriel Gabrielle
Gaby Gaël Gaëlle Gaëtan Gaëtane Garance Gaspard Gaston Gatien Gauthier Gautier Geneviève Geoffrey Geoffroy
Georges Georgette Georgina Gérald Géraldine Gérard Géraud Germain Germaine Germinal Gervais Gervaise
Ghislain Ghislaine Gilbert Gilberte Gildas Gilles Gillian Gina Ginette Gisèle Gislaine Gladys Godefroy
Gontran Gonzague Grâce Gratien Gratienne Grégoire Grégory Guénolé Guerric Guilain Guilhem Guillaume
Guillemette Gustave Guy Guylaine Gwenaël Gwenaëlle Gwendoline Gwenola Gwladys Habib Hadrien Hamza Hannah
Hans Harmonie Harold Hector Hélène Héliane Hélier Hélio Héloïse Henri Henriette Herbert Hercule Hermance
Hermann Hermine Hervé Hilaire Hilda Hippolyte Honoré Honorine Horace Hortense Hubert Hugo Hugues Huguette
Humbert Hyacinthe Ianis Ibrahim Ida Ignace Igor Iliana Ilan Ilona Inès Ingrid Irénée Irène Iris Irma Isaac
Isabeau Isabelle Isaïe Iseult Isidore Ismaël Ivan Jacinthe Jack Jacky Jacob Jacqueline Jacques Jacquot
Jade Jason Jean Jeanine Jeanne Jeannette Jeannine Jeannot Jennifer Jenny Jérémie Jérémy Jérôme Jessica
Jessy Joachim Joanna Joanne Joanny Jocelyn Jocelyne Joël Joëlle Johan Johann Johanna Johnny Jonas Jonathan
Jordan Jordane Joris José Joséphine Joseph Joséphin Josette Josiane Josselin Josué Josyane Juan Jude
Judicaël Judith Jules Julia Julian Juliane Julie Julien Julienne Juliette Julius June Juste Justin Justine
Karelle Karim Karima Karine Karl Katell Katia Kelly Kenza Kenzo Kevin Kévin Khadija Kilian Killian Klara
Klervi Kylian Ladislas Laëtitia Lambert Lana Landry Lara Laura Laure Lauréline Laurence Laurène Laurent
Laurentine Lauriane Laurie Laurine Lazare Léa Léandre Léane Leïla Lenny Léo Léocadie Léon Léonard Léonce
Léone Léonie Léonor Léontine Léopold Léopoldine Léonide Lévana Leslie Liam Lilas Lili Lilian Liliane Lilou
Lily Lina Linda Line Lino Lionel Lisa Lise Lisette Lison Livia Loan Loane Loïc Loïck Loïs Lola Loris
Lorène Lorraine Lothaire Lou Louane Loubna Louis Louisa Louise Louisette Louison Louka Loup Luc Luca Lucas
Luce Lucette Lucie Lucien Lucienne Lucile Lucille Lucrèce Ludivine Ludmilla Ludovic Lydia Lydie Lylou Lyna
Lyse Mabel Macéo Maddy Madeleine Madeline Maé Maël Maëlia Maëlie Maëlle Maëlys Maeva Maéva Magali Magalie
Magdalena Magloire Mahaut Mahé Maïa Maïlys Maïté Malika Malo Malorie Malvina Manoël Manon Manuel Manuela
Marc Marceau Marcel Marcelin Marceline Marcelle Marcellin Marcelline Margaux Margot Marguerite Maria
Mariam Marian Marianne Marie Marielle Mariette Marilou Marilyne Marin Marina Marine Marinette Marion
Marius Marlène Marthe Martial Martin Martine Marvin Maryline Maryse Maryvonne Mathéo Mathias Mathieu
Mathilde Mathis Mathurin Mathurine Matilde Matisse Matteo Matthias Matthieu Maud Maude Maurice Mauricette
Max Maxence Maxime Maximilien Maximilienne Maylis Mayeul Médard Médéric Mehdi Mélaine Mélanie Mélina
Méline Mélissa Mélodie Mélusine Mercédès Michaël Michel Michèle Micheline Michelle Mickaël Miguel Mike
Mila Milan Milène Milo Mina Mireille Modeste Mohamed Moïra Moïse Mona Monica Monique Montaine Morgan
Morgane Muguette Muriel Mylène Myriam Myrtille Mya Nadège Nadia Nadine Naël Naëlle Naïm Naïs Nahel Nancy
Naomi Narcisse Natacha Nathalie Nathan Nathanaël Nelly Nestor Nicaise Nicolas Nicole Nicoletta Nicolette
Nils Nina Ninon Noa Noah Noé Noël Noélie Noëlie Noëlle Noémie Nolan Nolwenn Nora Norbert Norberte Norman
Océane Octave Octavie Octavien Odette Odile Odilon Odin Olga Olive Olivia Olivier Olympe Ombeline Ondine
Ophélie Orane Oriane Orlane Orso Oscar Osmane Osmond Oswald Othon Ottilie Ottavio Ouriel Pablo Paloma
Paola Pacôme Pascal Pascale Pascaline Patrice Patricia Patrick Paul Paula Paule Paulette Paulin Pauline
Pélagie Perceval Perrin Perrine Pétronille Philémon Philibert Philiberte Philippe Philippine Philomène Pia
Pierre Pierrette Pierrick Pierrot Placide Pol Primaël Prosper Prudence Priscilla Priscille Quentin
Quiterie Rachel Rachid Raïssa Ralph Ramon Raoul Raphaël Raphaëlle Raymond Raymonde Rayan Rébecca Régine
Reine Régis Rémi Rémy Renan Renaud Renée René Richard Rita Robert Roberte Robin Robinson Roch Rodolphe
Rodrigue Roger Roland Rolande Rolland Romain Romaine Roman Romane Romaric Roméo Romuald Romy Ronan Rosa
Rosalie Rose Roseline Rosine Rosita Roxane Ruben Ruth Ryan Sabine Sabrina Sacha Salomé Salomon Samantha
Samir Samira Samson Samuel Samuelle Sandra Sandrine Sandy Sara Sarah Sasha Saturnin Sauveur Savannah
Sébastien Sébastienne Ségolène Séléna Selma Séraphin Séraphine Serge Sergine Séverin Séverine Sibylle
Sidonie Sigismond Silvère Siméon Simon Simone Simonne Sixte Sixtine Sofia Sofiane Soizic Solange Solène
Soline Sonia Sophie Soraya Stacy Stan Stanislas Stella Stéphane Stéphanie Steve Steven Suzanne Suzette
Suzie Suzon Swann Sybille Sylvain Sylvaine Sylvère Sylvestre Sylvette Sylviane Sylvie Tancrède Tanguy
Tania Tara Tatiana Ted Télesphore Térence Tessa Thaïs Théa Théau Thècle Théo Théodora Théodore Théodule
Théophane Théophile Thérèse Théotime Thibaud Thibault Thibaut Thiéfaine Thierry Thimothée Thomas Tiana
Tiffany Tifenn Tihana Tilio Timéo Timothé Timothée Tino Tiphaine Tiphanie Titouan Titus Tom Tony Toussaint
Tristan Tugdual Ulrich Ulysse Urbain Ursule Valentin Valentine Valère Valérian Valérie Valéry Vanessa
Vanina Vassili Véra Vérane Véronique Vianney Vicky Victoire Victor Victoria Victorien Victorin Victorine
Vincent Vincente Vinciane Viola Violaine Violette Virgile Virginie Viviane Vivien Vivienne Vladimir
Wandrille Warren Wendy Werner Wilfrid Wilfried William Willy Xavier Xavière Yaël Yanis Yann Yannick Yannis
Yasmina Yasmine Yoann Yoan Yohan Yohann Yolaine Yolande Yoris Youenn Youna Youri Youssef Ysaline Yseult
Ysoline Yvain Yvan Yveline Yves Yvette Yvon Yvonne Zacharie Zachary Zélie Zéphyr Zéphyrine Zita Zoé Zohra
Anne-Charlotte Anne-Claire Anne-Cécile Anne-Laure Anne-Lise Anne-Marie Anne-Sophie Charles-Antoine
Charles-Henri Jean-Baptiste Jean-Bernard Jean-Charles Jean-Christophe Jean-Claude Jean-Daniel Jean-Denis
Jean-François Jean-Jacques Jean-Louis Jean-Luc Jean-Marc Jean-Marie Jean-Michel Jean-Noël Jean-Pascal
Jean-Paul Jean-Philippe Jean-Pierre Jean-René Jean-Sébastien Jean-Yves Louis-Marie Marie-Agnès Marie-Ange
Marie-Anne Marie-Béatrice Marie-Cécile Marie-Christine Marie-Claire Marie-Claude Marie-Dominique
Marie-Élisabeth Marie-Ève Marie-France Marie-Françoise Marie-Hélène Marie-Jeanne Marie-José Marie-Laure
Marie-Line Marie-Lou Marie-Louise Marie-Madeleine Marie-Noëlle Marie-Odile Marie-Paule Marie-Pierre
Marie-Rose Marie-Sophie Marie-Thérèse Paul-Antoine Paul-Henri Pierre-Alain Pierre-Antoine Pierre-Emmanuel
Pierre-François Pierre-Henri Pierre-Louis Pierre-Marie Pierre-Olivier Pierre-Yves Rose-Marie)");
BRANCHFS_LIST(kLast, ' ',
R"(Martin Bernard Thomas Petit Robert Richard Durand Dubois Moreau Laurent Simon Michel Lefebvre Leroy Roux
David Bertrand Morel Fournier Girard Bonnet Dupont Lambert Fontaine Rousseau Vincent Muller Lefèvre Faure
André Mercier Blanc Guérin Boyer Garnier Chevalier François Legrand Gauthier Garcia Perrin Robin Clément
Morin Nicolas Henry Roussel Mathieu Gautier Masson Marchand Duval Denis Dumont Marie Lemaire Noël Meyer
Dufour Meunier Brun Blanchard Giraud Joly Rivière Lucas Brunet Gaillard Barbier Arnaud Martinez Gérard
Roche Renard Schmitt Roy Leroux Colin Vidal Caron Picard Roger Fabre Aubert Lemoine Renaud Dumas Lacroix
Olivier Philippe Bourgeois Pierre Benoît Rey Leclerc Payet Rolland Leclercq Guillaume Lecomte Lopez Jean
Dupuy Guillot Hubert Berger Carpentier Sanchez Dupuis Moulin Louis Deschamps Huet Vasseur Perez Boucher
Fleury Royer Klein Jacquet Adam Paris Poirier Marty Aubry Guyot Carré Charles Renault Charpentier Ménard
Maillard Baron Bertin Bailly Hervé Schneider Fernandez Collet Léger Bouvier Julien Prévost Millet Perrot
Daniel Cousin Germain Breton Besson Langlois Rémy Goff Pelletier Lévêque Perrier Leblanc Barré Lebrun
Marchal Weber Mallet Hamon Boulanger Jacob Monnier Michaud Rodriguez Guichard Gillet Étienne Grondin
Poulain Tessier Chevallier Collin Chauvin Bouchet Gay Lemaître Bénard Maréchal Humbert Reynaud Antoine
Hoarau Perret Barthélemy Cordier Pichon Lejeune Gilbert Lamy Delaunay Pasquier Carlier Laporte Abadie
Achard Adnot Agnès Albertini Alexandre Allain Allard Alix Amiot Ancel Andrieu Andrieux Anselme Archambault
Arnoux Arnould Astier Auberger Aubin Auclair Audebert Audoin Auger Augier Auvray Avril Aymard Babin
Bacquet Bailleul Balland Ballet Barbé Barbet Barbot Bardet Bardin Bardou Bareau Baret Baril Barnier
Barrault Barreau Barrère Barret Barrière Barthe Bastien Bataille Baudin Baudouin Baudry Bauer Bayle Bazin
Beaufils Beaumont Beauvais Bégué Belin Bellanger Bellet Belloc Benard Béraud Berge Bergeron Bernardin
Berthelot Berthet Berthier Bertho Berthon Bessière Besnard Besse Bidault Bigot Billard Billon Binet Biron
Bizet Blanchet Blandin Blin Blondeau Blondel Blot Bocquet Bodin Boissier Boisson Boivin Bonhomme Bonin
Bonnard Bonneau Bonnefoy Bordes Borel Bossard Bossu Boudet Boudin Bouet Bougon Bouillon Boulay Boulet
Bouquet Bourbon Bourdin Bourdon Bourgoin Bourguignon Bourreau Bousquet Boutet Boutin Bouton Bouvet Brault
Brazier Bréant Bresson Bretonneau Briand Brière Briot Brisset Brossard Brochard Broussard Bruneau Brunel
Bruyère Buisson Bureau Burel Busson Cadet Caillaud Calvet Camus Canal Cardinal Cardon Carette Carles
Carrère Carrière Cartier Carton Casanova Castel Castex Catalan Cauvin Cavalier Cayla Cazenave Cellier
Chabert Chabot Champion Chantelot Chapelle Chapuis Chardin Chardon Charlot Charrier Charron Chartier
Chassaing Chatelain Chaumont Chauveau Chauvet Chauvière Chavanne Chedeville Chenu Cheron Chevreau Chiron
Cholet Chopin Chrétien Claude Claudel Clavel Clerc Clergue Cochet Cohen Collard Collas Collignon Colombier
Colomb Combes Comte Conan Constant Constantin Coquelin Corbin Cordonnier Cornet Cornu Cortès Costa Coste
Cottin Coudert Coulomb Coulon Courtin Courtois Couturier Coutant Crépin Cros Crouzet Cuvelier Daguin
Dallet Damien Daniau Danjou Darcel Darras Dauphin Daumas Dauvergne Debray Decroix Defrance Degas Dejean
Delage Delahaye Delamare Delannoy Delarue Delattre Delcourt Delcroix Delmas Delorme Delpech Delplanque
Demange Denoyer Deroche Derrien Desbois Deschênes Descombes Desjardins Desmarais Desmoulins Desprez
Destouches Devaux Deville Devos Didier Diot Dominé Donnadieu Doré Douillet Doucet Drouet Drouin Druon
Dubreuil Dubuisson Duchemin Duchêne Duclos Ducrocq Dufresne Dugas Duhamel Dujardin Dulac Dumoulin
Dumontier Duperron Duplessis Duport Duprat Duprez Dupré Durieux Duroc Dutertre Duteil Duthil Duvivier Eloy
Emery Épinay Escoffier Espinasse Estève Évrard Eymard Fabien Falcon Farge Fauchet Faucon Faucher Favre
Favreau Favier Félix Féral Ferrand Ferrari Ferré Ferrier Ferry Feuillet Février Fillon Firmin Flament
Flandin Fleuriot Florent Foch Fontanel Forest Forestier Fortin Fort Foucault Foucher Fougère Fouquet
Fourcade Fourier Foulon Fraisse Franck Frémont Fréville Froment Gabriel Gachet Gallet Galland Gallois
Galtier Gamard Garandeau Garreau Garrigue Gascon Gasnier Gaspard Gaubert Gaudin Gaultier Gavard Gendre
Gendron Genet Genevois Genin Gentil Geoffroy Georges Gerbault Gervais Gibert Gilles Gillot Gimenez
Girardin Giraudet Giroud Girault Glaize Gobert Godard Godefroy Godet Godin Gomez Gonçalves Gontier
Gosselin Goujon Goupil Gourdon Goutte Grandjean Granger Granier Gras Grégoire Grenier Grimaud Gros
Grosjean Guéguen Guedj Guerrier Gueguen Guibert Guignard Guilbert Guillard Guillet Guillon Guillou Guinot
Guiraud Guitton Guyard Guyon Hardouin Hardy Harel Haudry Hébert Héliot Hémon Henriot Herbin Hérault Herman
Hermet Hilaire Hocquet Hoffmann Houdin Huard Hue Hugon Hugues Huguet Imbert Isambert Jacquemin Jacques
Jacquier Jacquin Jacquot Jamet Jamin Janin Janvier Jarry Jaubert Jeanne Jeannin Jobert Joffre Jolivet
Jonquet Josse Jouan Joubert Jourdain Jourdan Jouve Jugnot Juillet Julliard Jumel Keller Kieffer Labat
Labbé Laborde Labrousse Lacaze Lachaud Lacombe Lacoste Lacour Lafarge Laffont Lafont Lagarde Lagrange
Lahaye Lallemand Lalanne Lamarche Lamarque Lambertin Lamotte Lamoureux Landais Landry Langlade Lanoë
Lapierre Laplace Larcher Larivière Laroche Larrieu Lasalle Lassalle Latour Laurens Laval Lavergne Lavigne
Lebas Lebeau Lebel Leblond Lebon Leborgne Lebreton Lecerf Leclère Lecocq Lecoq Lecourt Lefort Lefranc
Legendre Legros Leduc Lefèbvre Lehmann Lelièvre Lelong Lemarchand Lemercier Lemonnier Lenoir Lenormand
Léonard Lepage Leprêtre Leroi Leriche Leroyer Lesage Lescure Letellier Leterrier Levasseur Levêque Lévy
Lhomme Lhuillier Liégeois Linard Loiseau Loisel Lombard Longuet Loriot Lorin Lormeau Louvel Loyer Luneau
Macé Magnan Magne Magnier Mahé Maillet Maillot Maire Malet Mallard Mangin Manuel Marais Marceau Marcel
Marchais Marchetti Maret Margot Marin Marion Marquet Marquis Marsal Martel Martineau Martinet Mas Massé
Masset Massot Mathis Maurel Maurice Maurin Maury Mayer Mazet Méchin Ménager Mesnard Messager Métayer
Métivier Meynard Mignot Milcent Millot Minet Mireur Mirabeau Moine Moinet Moisan Molinier Monet Monier
Monnet Montagne Montfort Moreno Morand Moret Morice Morineau Morlet Mornet Morvan Motte Mouchet Mougin
Mounier Mouret Mousset Moutier Munier Nadal Navarre Neveu Nguyen Nivet Noblet Noir Normand Nouvel Oger
Ollivier Oudin Ozanne Pagès Paillard Pain Paillet Papin Parent Paret Parisot Parmentier Pasquet Pascal
Patin Paul Paulet Peltier Péan Pellerin Pelissier Penot Percheron Périer Péron Perraud Perreau Perrault
Petitjean Peyre Peyrot Philippon Piat Picot Pinault Pineau Pinel Pinson Piquet Pires Planche Plantier
Poincaré Poirot Poisson Poncet Pons Ponthieu Portal Porte Portier Potier Pottier Pouget Poulet Poupart
Poussin Prat Pradier Prieur Prigent Prost Proust Provost Pruvost Puech Pujol Quentin Quéré Quesnel Rabier
Raffin Raimbault Rambaud Raoul Raymond Raynal Raynaud Rebours Regnault Regnier Renaudin Renou Renoux
Reverdy Revel Reynier Ribeiro Ribot Ricard Richardin Riche Rieu Rigal Rigaud Rigault Riou Rippert Rivet
Robillard Rochefort Rocher Rodier Roland Romain Rondeau Roque Rossignol Rossi Rosset Rossin Rouault
Rougier Rouillard Roulland Rousset Rouvière Rouyer Royan Ruelle Sabatier Saint-Martin Salaün Salmon
Salomon Samson Santoni Sarrazin Saulnier Saunier Sauvage Savary Schaeffer Schmidt Seguin Sellier Serre
Servant Séverin Sicard Sauvageot Silvestre Simonet Simonin Sorel Soulier Souchon Tabary Talon Tanguy
Tardieu Tardy Tavernier Teissier Tellier Terrier Texier Thébault Théron Thévenet Thévenin Thibault Thierry
Thiers Thiébaut Tillier Tisserand Tissier Tixier Torres Toussaint Toutain Tournier Tremblay Tricot
Tronchet Trouvé Turpin Vaillant Valentin Valette Vallée Vallet Valois Vannier Varin Vasset Vauthier
Verdier Vergne Vernet Verney Véron Verrier Viard Viaud Vial Viallet Viguier Vilain Villain Villard
Villeneuve Villette Vimont Vivier Voisin Voiturier Vuillemin Wagner Walter Weiss Werner Ythier Yvon Zeller
Ziegler Zimmermann)");
BRANCHFS_LIST(kTitles, ' ',
R"(M. Mme Mlle Dr Pr Me)");
BRANCHFS_LIST(kSuffixes, ' ',
R"(fils père aîné cadet II III)");
BRANCHFS_LIST(kCityHeads, ';',
R"(Bourg;Châteauneuf;Champigny;Chavigny;Courcelles;Fontenay;Grandville;Lavaur;Montfort;Montigny;Neuville
Nogent;Pontarmé;Rochebrune;Saint-Alban;Saint-Antonin;Saint-Aubin;Saint-Clair;Saint-Ferréol;Saint-Germain
Saint-Hilaire;Saint-Julien;Saint-Laurent;Saint-Loup;Saint-Martin;Saint-Maurice;Saint-Michel;Saint-Paul
Saint-Pierre;Saint-Rémy;Saint-Vincent;Sainte-Colombe;Sainte-Marie;Sauveterre;Vaucresson;Verneuil
Villefranche;Villeneuve;Villers;Vitry)");
BRANCHFS_LIST(kCityTails, ';',
R"(aux-Bois;aux-Chênes;d’Aval;de-la-Lande;des-Champs;des-Fossés;des-Prés;des-Vignes;du-Mont;du-Val;en-Forêt
en-Plaine;la-Fontaine;la-Forêt;la-Garenne;la-Rivière;la-Vallée;le-Bourg;le-Château;le-Grand;le-Petit
le-Vieux;les-Bains;les-Étangs;les-Moulins;sous-Bois;sur-Aure;sur-Loge;sur-Mère;sur-Orle;sur-Veine)");
BRANCHFS_LIST(kStreetHeads, ';',
R"(rue;avenue;boulevard;place;allée;impasse;chemin;passage;square;quai;cours;sentier)");
BRANCHFS_LIST(kStreetTails, ';',
R"(de la Gare;de la Mairie;de la République;de la Liberté;de la Paix;de la Poste;de la Fontaine;de la Forêt
de la Rivière;de la Vallée;de la Plaine;de la Chapelle;de la Prairie;de la Colline;de la Halle
de la Source;de la Tour;de l’Église;de l’École;de l’Étang;de l’Hôtel de Ville;de l’Horloge;de l’Abbaye
de l’Avenir;des Acacias;des Ajoncs;des Alouettes;des Amandiers;des Anciens Combattants;des Aubépines
des Bleuets;des Bouleaux;des Bruyères;des Cèdres;des Cerisiers;des Champs;des Charmes;des Châtaigniers
des Chênes;des Coquelicots;des Cyprès;des Églantiers;des Érables;des Écoles;des Fauvettes;des Fleurs
des Forges;des Fougères;des Frênes;des Genêts;des Hirondelles;des Iris;des Jardins;des Jonquilles
des Lauriers;des Lavandes;des Lilas;des Marronniers;des Mésanges;des Mimosas;des Moulins;des Muguets
des Myosotis;des Noisetiers;des Noyers;des Œillets;des Oliviers;des Ormes;des Peupliers;des Pins
des Platanes;des Pommiers;des Prés;des Primevères;des Remparts;des Rosiers;des Sapins;des Saules
des Tilleuls;des Tulipes;des Vergers;des Vignes;des Violettes;du Bois;du Canal;du Château;du Commerce
du Lavoir;du Marché;du Moulin;du Parc;du Petit Bois;du Port;du Pont;du Pressoir;du Puits;du Stade
du Vieux Chemin;du Vivier)");
BRANCHFS_LIST(kCompanyHeads, ';',
R"(Ateliers;Bâtiments;Boulangeries;Cabinet;Carrières;Chantiers;Charpentes;Comptoir;Conserveries;Constructions
Distillerie;Domaine;Éditions;Entrepôts;Établissements;Fonderies;Forges;Fromageries;Garages;Groupe
Imprimerie;Jardins;Laboratoires;Librairies;Maison;Manufacture;Menuiseries;Messageries;Papeteries
Pépinières;Salaisons;Scieries;Services;Société;Tanneries;Transports;Tuileries;Vergers;Verreries;Vignobles)");
BRANCHFS_LIST(kCompanyTails, ';',
R"(Amaudrin;Aubrac;Beauvallon;Belleroche;Blanchefort;Boisjoli;Bonneval;Briançois;Castelnau;Champfleury
Chantemerle;Clairval;Clairefontaine;Courteval;Croixbois;Fontbelle;Fontclaire;Grandchamp;Grandpré
Hautefeuille;Hauterive;Jolibois;Longpré;Malleval;Mirefleurs;Montbrun;Montclair;Montfleury;Montrose
Neuvéglise;Perceval;Prévalon;Rochebelle;Rocheclair;Rosemont;Valbonnais;Valfleury;Verdeval;Vertbois
Vieilleroche)");
BRANCHFS_LIST(kCompanySuffixes, ';',
R"(SA;SARL;SAS;et Fils;et Associés;et Cie;Frères;Groupe;EURL;SNC)");
BRANCHFS_LIST(kProfessions, ';',
R"(Agriculteur;Aide-soignante;Ambulancier;Apicultrice;Archéologue;Architecte;Archiviste;Avocate
Bibliothécaire;Bijoutier;Biologiste;Boucher;Boulanger;Brodeuse;Caissier;Carreleur;Cartographe;Charcutier
Charpentier;Chaudronnier;Chauffeur de bus;Chef de projet;Chimiste;Coiffeuse;Comptable;Conducteur de train
Conseillère clientèle;Cordonnier;Couturière;Couvreur;Cuisinier;Danseuse;Dentiste;Dessinatrice;Développeur
Diététicienne;Documentaliste;Ébéniste;Éclusier;Économiste;Éditrice;Électricien;Enseignante;Ergothérapeute
Ferronnier;Fleuriste;Forgeron;Fromager;Garde forestier;Géologue;Géomètre;Graphiste;Horlogère;Horticulteur
Hydrologue;Illustratrice;Imprimeur;Infirmière;Ingénieur;Jardinier;Journaliste;Juriste;Kinésithérapeute
Libraire;Luthier;Maçon;Magasinier;Maraîchère;Maréchal-ferrant;Marin;Mécanicien;Menuisier;Météorologue
Meunier;Monteuse;Musicienne;Notaire;Opticienne;Orthophoniste;Outilleur;Pâtissière;Paysagiste;Pêcheur
Peintre;Pharmacienne;Photographe;Physicienne;Pilote;Plombier;Poissonnier;Policière;Pompier;Potière
Professeur;Psychologue;Puéricultrice;Régisseur;Relieuse;Restauratrice;Routier;Sage-femme;Sculptrice
Secrétaire;Serrurier;Serveuse;Soudeur;Statisticienne;Surveillant;Tailleur de pierre;Tapissier;Technicienne
Tonnelier;Traductrice;Tuilier;Urbaniste;Verrier;Vétérinaire;Vigneron;Webmestre;Zoologiste)");
BRANCHFS_LIST(kIndustries, ';',
R"(Aéronautique;Agriculture;Agroalimentaire;Ameublement;Architecture;Assurance;Audiovisuel;Automobile;Banque
Bâtiment;Biotechnologies;Boissons;Bois et papier;Chimie;Commerce de détail;Commerce de gros;Conseil
Construction navale;Cosmétiques;Culture;Éducation;Édition;Électricité;Électronique;Emballage;Énergie
Environnement;Ferroviaire;Formation;Gestion des déchets;Horlogerie;Hôtellerie;Immobilier;Imprimerie
Informatique;Ingénierie;Loisirs;Logistique;Machines;Matériaux;Mécanique;Métallurgie;Musique;Optique;Pêche
Pharmacie;Photographie;Plasturgie;Recherche;Restauration;Santé;Sécurité;Services à la personne;Sidérurgie
Sport;Sylviculture;Télécommunications;Textile;Tourisme;Transport;Verre et céramique;Viticulture)");
BRANCHFS_LIST(kColours, ';',
R"(Abricot;Acajou;Ambre;Améthyste;Anthracite;Ardoise;Argent;Aubergine;Azur;Beige;Blanc;Bleu;Bordeaux;Bronze
Brun;Cannelle;Carmin;Cerise;Châtaigne;Chocolat;Citron;Corail;Cramoisi;Crème;Cuivre;Cyan;Écarlate;Écru
Émeraude;Fuchsia;Gris;Indigo;Ivoire;Jade;Jaune;Kaki;Lavande;Lilas;Magenta;Marron;Mauve;Menthe;Moutarde
Noir;Ocre;Olive;Or;Orange;Outremer;Parme;Pêche;Pourpre;Prune;Rose;Rouge;Rubis;Sable;Saumon;Sépia;Taupe
Tilleul;Turquoise;Vanille;Vermillon;Vert;Violet)");
BRANCHFS_LIST(kStates, ';',
R"(01 Ain;02 Aisne;03 Allier;05 Hautes-Alpes;06 Alpes-Maritimes;07 Ardèche;08 Ardennes;09 Ariège;10 Aube
11 Aude;12 Aveyron;14 Calvados;15 Cantal;16 Charente;17 Charente-Maritime;18 Cher;19 Corrèze
2A Corse-du-Sud;2B Haute-Corse;22 Côtes-d’Armor;23 Creuse;24 Dordogne;25 Doubs;26 Drôme;27 Eure
28 Eure-et-Loir;29 Finistère;30 Gard;31 Haute-Garonne;32 Gers;33 Gironde;34 Hérault;35 Ille-et-Vilaine
36 Indre;37 Indre-et-Loire;38 Isère;39 Jura;40 Landes;41 Loir-et-Cher;42 Loire;43 Haute-Loire
44 Loire-Atlantique;45 Loiret;46 Lot;47 Lot-et-Garonne;48 Lozère;49 Maine-et-Loire;50 Manche;51 Marne
52 Haute-Marne;53 Mayenne;54 Meurthe-et-Moselle;55 Meuse;56 Morbihan;57 Moselle;58 Nièvre;59 Nord;60 Oise
61 Orne;62 Pas-de-Calais;63 Puy-de-Dôme;64 Pyrénées-Atlantiques;65 Hautes-Pyrénées;66 Pyrénées-Orientales
67 Bas-Rhin;68 Haut-Rhin;69 Rhône;70 Haute-Saône;71 Saône-et-Loire;72 Sarthe;73 Savoie;74 Haute-Savoie
75 Paris;76 Seine-Maritime;77 Seine-et-Marne;78 Yvelines;79 Deux-Sèvres;80 Somme;81 Tarn
82 Tarn-et-Garonne;83 Var;84 Vaucluse;85 Vendée;86 Vienne;87 Haute-Vienne;88 Vosges;89 Yonne
90 Territoire de Belfort;91 Essonne;92 Hauts-de-Seine;93 Seine-Saint-Denis;94 Val-de-Marne;95 Val-d’Oise)");
BRANCHFS_LIST(kCountries, ';',
R"(AD Andorre;AE Émirats arabes unis;AL Albanie;AM Arménie;AO Angola;AR Argentine;AT Autriche;AU Australie
BE Belgique;BF Burkina Faso;BG Bulgarie;BJ Bénin;BO Bolivie;BR Brésil;CA Canada;CH Suisse;CI Côte d’Ivoire
CL Chili;CM Cameroun;CN Chine;CO Colombie;CR Costa Rica;CU Cuba;CV Cap-Vert;CY Chypre;CZ Tchéquie
DE Allemagne;DJ Djibouti;DK Danemark;DZ Algérie;EC Équateur;EE Estonie;EG Égypte;ES Espagne;ET Éthiopie
FI Finlande;FR France;GA Gabon;GB Royaume-Uni;GE Géorgie;GH Ghana;GN Guinée;GR Grèce;GT Guatemala
HR Croatie;HT Haïti;HU Hongrie;ID Indonésie;IE Irlande;IN Inde;IS Islande;IT Italie;JM Jamaïque;JP Japon
KE Kenya;KH Cambodge;KM Comores;KR Corée du Sud;LA Laos;LB Liban;LT Lituanie;LU Luxembourg;LV Lettonie
MA Maroc;MC Monaco;MD Moldavie;ME Monténégro;MG Madagascar;ML Mali;MN Mongolie;MR Mauritanie;MT Malte
MU Maurice;MX Mexique;MY Malaisie;NA Namibie;NE Niger;NG Nigeria;NL Pays-Bas;NO Norvège;NP Népal
NZ Nouvelle-Zélande;OM Oman;PA Panama;PE Pérou;PH Philippines;PL Pologne;PT Portugal;PY Paraguay;QA Qatar
RO Roumanie;RS Serbie;RW Rwanda;SC Seychelles;SE Suède;SG Singapour;SI Slovénie;SK Slovaquie;SN Sénégal
TD Tchad;TG Togo;TH Thaïlande;TN Tunisie;TR Turquie;UA Ukraine;US États-Unis;UY Uruguay;VN Viêt Nam
ZA Afrique du Sud;ZM Zambie;ZW Zimbabwe)");
BRANCHFS_LIST(kBuzzHeads, ';',
R"(accessible;adaptable;agile;autonome;certifié;circulaire;collaboratif;connecté;convivial;décentralisé
distribué;durable;dynamique;économe;efficace;équilibré;évolutif;extensible;fiable;flexible;global;innovant
intégré;intelligent;intuitif;mesurable;modulable;mutualisé;numérique;optimisé;ouvert;performant;polyvalent
prédictif;progressif;rapide;réactif;responsable;robuste;sécurisé;simplifié;solidaire;stable;transparent
universel;vertueux)");
BRANCHFS_LIST(kBuzzMiddles, ';',
R"(à la demande;au service du client;axé sur les données;de bout en bout;de nouvelle génération;de proximité
en continu;en réseau;en temps réel;fondé sur les usages;hautement disponible;indépendant du lieu;modulaire
multicanal;orienté résultats;par étapes;piloté par la qualité;sans couture;sans papier;sur mesure
transversal;à faible coût;à grande échelle;à long terme)");
BRANCHFS_LIST(kBuzzTails, ';',
R"(accord;algorithme;alliance;analyse;annuaire;application;approche;architecture;archive;assistance;atelier
capacité;catalogue;chaîne logistique;concept;contrat;démarche;dispositif;échange;expérience;filière
formation;gouvernance;infrastructure;initiative;interface;intranet;logiciel;matrice;méthode;modèle;norme
outil;parcours;partenariat;plateforme;portail;procédure;processus;programme;projet;référentiel;réseau
service;solution;stratégie;structure;suivi;synthèse;système;tableau de bord)");
// clang-format on

}  // namespace

constinit const Dictionary kFrench = {
    .locale = Locale::fr_FR,
    .first_names = kFirst,
    .last_names = kLast,
    .titles = kTitles,
    .name_suffixes = kSuffixes,
    .cities = {kCityHeads, kCityTails, "-"},
    .streets = {kStreetHeads, kStreetTails, " "},
    .companies = {kCompanyHeads, kCompanyTails, " "},
    .company_suffixes = kCompanySuffixes,
    .professions = kProfessions,
    .industries = kIndustries,
    .colours = kColours,
    .states = kStates,
    .countries = kCountries,
    .buzz_heads = kBuzzHeads,
    .buzz_middles = kBuzzMiddles,
    .buzz_tails = kBuzzTails,
};

}  // namespace branchfs::mask
