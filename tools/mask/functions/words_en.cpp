#include "tools/mask/functions/words.h"

namespace branchfs::mask {
namespace {

// clang-format off
BRANCHFS_LIST(kFirst, ' ',
R"(James Mary Robert Patricia John Jennifer Michael Linda David Elizabeth William Barbara Richard Susan
Joseph Jessica Thomas Sarah Charles Karen Christopher Lisa Daniel Nancy Matthew Betty Anthony Margaret
Mark Sandra Donald Ashley Steven Kimberly Paul Emily Andrew Donna Joshua Michelle Kenneth Carol Kevin
Amanda Brian Dorothy George Melissa Edward Deborah Ronald Stephanie Timothy Rebecca Jason Sharon Jeffrey
Laura Ryan Cynthia Jacob Kathleen Gary Amy Nicholas Angela Eric Shirley Jonathan Anna Stephen Brenda Larry
Pamela Justin Emma Scott Nicole Brandon Helen Benjamin Samantha Samuel Katherine Gregory Christine Frank
Debra Alexander Rachel Raymond Carolyn Patrick Janet Jack Catherine Dennis Maria Jerry Heather Tyler Diane
Aaron Ruth Jose Julie Adam Olivia Henry Joyce Nathan Virginia Douglas Victoria Zachary Kelly Peter Lauren
Kyle Christina Walter Joan Ethan Evelyn Jeremy Judith Harold Megan Keith Andrea Christian Cheryl Roger
Hannah Noah Jacqueline Gerald Martha Carl Gloria Terry Teresa Sean Ann Austin Sara Arthur Madison Lawrence
Frances Jesse Kathryn Dylan Janice Bryan Jean Joe Abigail Jordan Alice Billy Judy Bruce Sophia Albert
Grace Willie Denise Gabriel Amber Logan Doris Alan Marilyn Juan Danielle Wayne Beverly Roy Isabella Ralph
Theresa Randy Diana Eugene Natalie Vincent Brittany Russell Charlotte Elijah Marie Louis Kayla Bobby
Alexis Philip Lori Johnny Rose Aaliyah Abbie Abby Abel Abraham Ada Adaline Addie Addison Adela Adelaide
Adele Adeline Adelyn Adrian Adriana Adrienne Agatha Agnes Aidan Aileen Aimee Ainsley Alana Alanna Alastair
Alba Alberta Alden Aldo Alec Alejandra Alejandro Alena Alessandra Alex Alexa Alexandra Alexandria Alexia
Alfred Alfredo Ali Alicia Alina Alisa Alisha Alison Alissa Allan Allen Allie Allison Allyson Alma Alonzo
Althea Alton Alvin Alyssa Amari Amaya Amelia Amie Amir Amos Ana Anastasia Anderson Andre Andres Andy Angel
Angelica Angelina Angelo Angie Anita Annabel Annabelle Anne Annette Annie Ansel Antoinette Anton Antonia
Antonio April Arabella Archer Archie Aria Ariana Ariel Arlene Arlo Armando Armani Arnold Arturo Arvid Asa
Asher Ashton Asia Aspen Astrid Athena Atticus Aubree Aubrey Audrey August Augustus Aurelia Aurora Autumn
Ava Avery Axel Ayla Bailey Barbra Barnaby Barney Barry Bart Basil Beatrice Beatrix Beau Beckett Becky
Belinda Bella Ben Bennett Bennie Bentley Bernadette Bernard Bernice Bernie Bert Bertha Bertram Bess Bessie
Beth Bethany Betsy Bettie Beulah Bianca Bill Blaine Blair Blake Blanche Bob Bobbie Bonnie Boyd Brad Braden
Bradford Bradley Brady Brandi Brandy Brantley Braxton Brayden Breanna Brenden Brendan Brennan Brent Bret
Brett Brianna Bridget Briggs Brinley Britney Brittney Brock Brody Bronte Brooke Brooklyn Brooks Bryant
Bryce Brynn Bryson Bud Buddy Burt Byron Caden Caitlin Caleb Callie Callum Calvin Camden Cameron Camila
Camille Camilla Candace Candice Cara Carina Carissa Carla Carlo Carlos Carlton Carly Carmela Carmen Carole
Carolina Caroline Carrie Carroll Carson Carter Cary Casey Cassandra Cassidy Cassie Cate Cathy Cecelia
Cecil Cecilia Cedric Celeste Celia Celine Cesar Chad Chance Chandler Chanel Charity Charlene Charley
Charlie Chase Chasity Chelsea Cherie Cherry Cheyenne Chloe Chris Christa Christi Christie Christy Ciara
Cindy Claire Clara Clarence Clarice Clarissa Clark Claude Claudia Clay Clayton Clement Cleo Cleveland
Cliff Clifford Clifton Clint Clinton Clyde Coby Cody Cohen Colby Cole Coleen Colette Colin Colleen Collin
Colton Conner Connie Connor Conrad Constance Consuelo Cooper Cora Coral Cordelia Corey Corinne Cornelia
Cornelius Cory Courtney Craig Cristina Crystal Curt Curtis Cyrus Daisy Dakota Dale Dallas Dalton Damian
Damon Dan Dana Dane Danica Danny Dante Daphne Darcy Darius Darla Darlene Darnell Darrell Darren Darryl
Darwin Daryl Dave Dawn Dawson Dayton Dean Deana Deandre Deanna Debbie Declan Deena Deirdre Delaney Delbert
Delia Delilah Della Delores Delphine Demetrius Dena Denis Derek Derrick Desiree Desmond Destiny Devin
Devon Dewey Dexter Dianna Dianne Diego Dillon Dina Dino Dion Dixie Dolores Dominic Dominick Dominique Don
Donnie Donovan Dora Doreen Dorian Dorothea Dottie Doug Doyle Drake Drew Duane Dudley Duke Duncan Dustin
Dusty Dwayne Dwight Earl Earnest Easton Ebony Ed Eddie Eden Edgar Edith Edmond Edmund Edna Eduardo Edwin
Effie Eileen Elaina Elaine Eleanor Elena Eli Eliana Elias Elisa Elise Elisha Eliza Ella Elle Ellen Ellie
Elliot Elliott Ellis Elmer Eloise Elsa Elsie Elton Elvira Elvis Elwood Emanuel Emerson Emery Emil Emilia
Emmanuel Emmett Enid Enrique Erica Erik Erika Erin Ernest Ernestine Ernie Ervin Esme Esmeralda Esperanza
Estelle Esther Ethel Etta Eunice Eva Evan Evangeline Eve Everett Ezekiel Ezra Fabian Faith Fannie Fay Faye
Felicia Felicity Felipe Felix Fern Fernando Finley Finn Fiona Flora Florence Floyd Flynn Forrest Foster
Fran Francesca Francine Francis Francisco Frankie Franklin Fred Freda Freddie Frederick Freya Gabriela
Gabriella Gabrielle Gail Garrett Garth Gavin Gemma Gena Gene Genesis Geneva Genevieve Geoffrey Georgia
Georgina Geraldine Gerard Gertrude Gia Gianna Gideon Gilbert Gilberto Gillian Gina Ginger Giovanni Giselle
Gladys Glen Glenda Glenn Gordon Grady Graham Grant Grayson Greg Greta Gretchen Griffin Guadalupe Guillermo
Gus Guy Gwen Gwendolyn Hadley Hailey Haley Hallie Hank Harley Harlan Harmony Harper Harriet Harris
Harrison Harry Harvey Hattie Hayden Hazel Heath Hector Heidi Henrietta Herbert Herman Hilary Hilda Hillary
Holly Homer Hope Horace Houston Howard Hubert Hudson Hugh Hugo Hunter Ian Ida Ignacio Imogen Ina Inez
Ingrid Ira Irene Iris Irma Irvin Irving Isaac Isabel Isabelle Isaiah Isla Ismael Israel Ivan Ivy Izabella
Jackie Jackson Jaclyn Jade Jaden Jaime Jake Jamal Jamie Jan Jana Jane Janelle Janie Janine Janis Jared
Jarrett Jarvis Jasmine Jasper Javier Jay Jayden Jayne Jeanette Jeanne Jeannie Jed Jeff Jenna Jennie Jenny
Jeremiah Jermaine Jerome Jess Jessie Jesus Jett Jewel Jill Jillian Jim Jimmie Jimmy Jo Joann Joanna Joanne
Jocelyn Jodi Jodie Jody Joel Joey Johanna Johnnie Jon Jonah Jonas Jordyn Jorge Josephine Josh Josiah Josie
Joy Juanita Judah Jude Judson Julia Julian Juliana Julianne Juliet Julio Julius June Juniper Justine
Kaitlin Kaitlyn Kara Kari Karina Karl Karla Kasey Kate Katelyn Kathy Katie Katrina Kay Kaylee Keegan Keira
Kelley Kelli Kellie Kelsey Kelvin Ken Kendall Kendra Kendrick Kennedy Kenny Kent Kerry Kiara Kieran Kim
Kimora Kingsley Kirk Kirsten Krista Kristen Kristi Kristin Kristina Kristine Kristopher Kristy Krystal
Kurt Kylie Lacey Lamar Lana Lance Landon Lane Larissa Latoya Laurel Laurie Lawson Layla Lea Leah Leander
Lee Leigh Leila Leland Lena Lenora Leo Leon Leona Leonard Leroy Leslie Lester Leticia Levi Lewis Lexi Liam
Lila Lilian Liliana Lillian Lillie Lily Lincoln Lindsay Lindsey Lionel Liza Lizzie Lloyd Lois Lola Lonnie
Lora Loraine Loretta Lorena Lorenzo Lorna Lorraine Lou Louella Louise Lucas Lucia Lucian Lucille Lucinda
Lucy Luis Luke Lula Luna Luther Lydia Lyla Lyle Lynda Lynette Lynn Lynne Mabel Mack Mackenzie Macy
Madeline Madelyn Mae Maggie Malachi Malcolm Malik Mandy Manuel Mara Marc Marcel Marcella Marcia Marco
Marcus Margarita Margie Margo Margot Marian Mariana Marianne Maribel Marina Mario Marion Marisa Marisol
Marissa Marjorie Marla Marlene Marlon Marsha Marshall Martin Marty Marvin Mason Mateo Matilda Matt Mattie
Maura Maureen Maurice Mavis Max Maxine Maxwell May Maya Mckenzie Meghan Melanie Melba Melinda Melody
Melvin Mercedes Meredith Merle Mia Micah Micheal Mickey Miguel Mila Mildred Miles Millicent Millie Milo
Milton Mindy Minerva Minnie Miranda Miriam Misty Mitchell Mitzi Moira Molly Mona Monica Monique Monroe
Morgan Morris Moses Muriel Mya Myles Myra Myrna Myron Myrtle Nadia Nadine Naomi Natalia Natasha Nathaniel
Neal Ned Neil Nell Nellie Nelson Nettie Nicky Nico Nicola Nikki Nina Nita Noel Noelle Nolan Nora Norma
Norman Nova Odessa Odette Olga Olive Oliver Ollie Omar Opal Ora Orlando Orville Oscar Otis Otto Owen Paige
Paisley Pansy Parker Pascal Pat Patsy Patti Patty Paula Paulette Pauline Payton Pearl Pedro Peggy Penelope
Penny Percy Perry Pete Petra Phil Phillip Phoebe Phyllis Pierce Piper Polly Porter Preston Priscilla
Quentin Quincy Quinn Rachael Rae Ramon Ramona Randall Randolph Raquel Raul Ravi Ray Reagan Reba Reed Reese
Regina Reginald Reid Rene Renee Rex Reynaldo Rhett Rhoda Rhonda Ricardo Rick Rickey Ricky Riley Rita River
Rob Robbie Roberta Roberto Robin Robyn Rocco Rochelle Rocky Roderick Rodger Rodney Rodolfo Rogelio Roland
Roman Romeo Ron Ronnie Rory Rosa Rosalie Rosalind Rosanne Roscoe Roseann Rosemarie Rosemary Rosie Ross
Rowan Roxanne Ruben Ruby Rudolph Rudy Rufus Rupert Russ Rusty Ryder Sabrina Sadie Sally Salvador Sam Sammy
Samson Sandy Santiago Santos Sasha Saul Savannah Sawyer Scarlett Sebastian Selena Selma Serena Sergio Seth
Shane Shannon Shari Shaun Shauna Shawn Sheena Sheila Shelby Sheldon Shelia Shelly Shelton Sheri Sherman
Sherri Sherry Sheryl Sidney Sienna Sierra Silas Silvia Simon Simone Skylar Sofia Solomon Sonia Sonya
Sophie Spencer Stacey Stacy Stan Stanley Stella Sterling Steve Stewart Stuart Sue Summer Susanna Susannah
Susie Suzanne Sybil Sydney Sylvester Sylvia Tabitha Tamara Tami Tammy Tanner Tanya Tara Tasha Tate Tatiana
Taylor Ted Teddy Terence Teri Terrance Terrell Terri Tess Tessa Thea Thelma Theodora Theodore Theo
Thaddeus Tia Tiffany Tim Timmy Tina Toby Todd Tom Tommie Tommy Toni Tony Tonya Tracey Traci Tracy Travis
Trent Trenton Trevor Tricia Trina Trinity Trisha Tristan Troy Trudy Tucker Ty Tyrone Ulysses Una Uriah
Ursula Valentina Valeria Valerie Vanessa Vaughn Velma Vera Verna Vernon Veronica Vicki Vickie Vicky Victor
Vince Viola Violet Vivian Vivienne Wade Wallace Wally Walker Walton Wanda Ward Warren Weldon Wendell Wendy
Wes Wesley Weston Whitney Wilbert Wilbur Wilfred Wilhelmina Will Willa Willard Willow Wilma Winifred
Winona Winston Woodrow Wyatt Xander Xavier Ximena Yesenia Yolanda Yvette Yvonne Zane Zara Zelda Zion Zoe
Zoey Zola)");
BRANCHFS_LIST(kLast, ' ',
R"(Smith Johnson Williams Brown Jones Garcia Miller Davis Rodriguez Martinez Hernandez Lopez Gonzalez Wilson
Anderson Thomas Taylor Moore Jackson Martin Lee Perez Thompson White Harris Sanchez Clark Ramirez Lewis
Robinson Walker Young Allen King Wright Scott Torres Nguyen Hill Flores Green Adams Nelson Baker Hall
Rivera Campbell Mitchell Carter Roberts Gomez Phillips Evans Turner Diaz Parker Cruz Edwards Collins Reyes
Stewart Morris Morales Murphy Cook Rogers Gutierrez Ortiz Morgan Cooper Peterson Bailey Reed Kelly Howard
Ramos Kim Cox Ward Richardson Watson Brooks Chavez Wood James Bennett Gray Mendoza Ruiz Hughes Price
Alvarez Castillo Sanders Patel Myers Long Ross Foster Jimenez Powell Jenkins Perry Russell Sullivan Bell
Coleman Butler Henderson Barnes Gonzales Fisher Vasquez Simmons Romero Jordan Patterson Alexander Hamilton
Graham Reynolds Griffin Wallace Moreno West Cole Hayes Bryant Herrera Gibson Ellis Tran Medina Aguilar
Stevens Murray Ford Castro Marshall Owens Harrison Fernandez McDonald Woods Washington Kennedy Wells
Vargas Henry Chen Freeman Webb Tucker Guzman Burns Crawford Olson Simpson Porter Hunter Gordon Mendez
Silva Shaw Snyder Mason Dixon Munoz Hunt Hicks Holmes Palmer Wagner Black Robertson Boyd Rose Stone
Salazar Fox Warren Mills Meyer Rice Schmidt Garza Daniels Ferguson Nichols Stephens Soto Weaver Ryan
Gardner Payne Grant Dunn Kelley Spencer Hawkins Arnold Pierce Hansen Peters Santos Hart Bradley Knight
Elliott Cunningham Duncan Armstrong Hudson Carroll Lane Riley Andrews Alvarado Ray Delgado Berry Perkins
Hoffman Johnston Matthews Pena Richards Contreras Willis Carpenter Lawrence Sandoval Guerrero George
Chapman Rios Estrada Ortega Watkins Greene Nunez Wheeler Valdez Harper Burke Larson Santiago Maldonado
Morrison Franklin Carlson Austin Dominguez Carr Lawson Jacobs Lynch Singh Vega Bishop Montgomery Oliver
Jensen Harvey Williamson Gilbert Dean Sims Espinoza Howell Li Wong Reid Hanson Le McCoy Garrett Burton
Fuller Wang Weber Welch Rojas Lucas Marquez Fields Park Yang Little Banks Padilla Day Walsh Bowman Schultz
Luna Fowler Mejia Abbott Abernathy Acevedo Ackerman Acosta Adair Adkins Aldridge Alford Alston Ames Amos
Archer Arroyo Ashby Ashford Atkins Atkinson Atwood Ayala Ayers Babcock Baird Baldwin Ball Ballard Barber
Barker Barlow Barnett Barr Barrera Barrett Barron Barry Bartlett Barton Bass Bates Bauer Baxter Beach Bean
Beard Beasley Beck Becker Bender Benjamin Benson Bentley Benton Berg Berger Bernard Best Bird Blackburn
Blackwell Blair Blake Blanchard Blankenship Blevins Bolton Bond Bonner Booker Boone Booth Bowen Bowers
Bowles Boyer Boyle Bracken Brady Branch Brandt Bray Brennan Brewer Bridges Briggs Bright Britt Brock
Browning Bruce Bryan Buchanan Buck Buckley Bullock Burch Burgess Burks Burnett Burris Bush Byers Byrd
Cabrera Cain Calderon Caldwell Calhoun Callahan Camacho Cameron Cannon Cantrell Cantu Cardenas Carey
Carlton Carney Carrillo Carson Carver Case Casey Cash Castaneda Cervantes Chambers Chan Chandler Chaney
Chang Charles Chase Cherry Christensen Christian Church Clarke Clay Clayton Clements Cline Cobb Cochran
Coffey Cohen Colby Combs Compton Conley Conner Connor Conrad Conway Cooke Cooley Copeland Cortez Costello
Cotton Craft Craig Crane Crosby Cross Crowley Cummings Curry Curtis Dale Dalton Daly Daniel Daugherty
Davenport Davidson Dawson Decker Dejesus Deleon Denton Dickerson Dickson Dillard Dillon Dodson Donaldson
Donovan Dorsey Dotson Dougherty Douglas Downs Doyle Drake Dudley Duffy Duke Duran Durham Dyer Eaton Elkins
Emerson England English Erickson Espinosa Estes Everett Ewing Farley Farmer Farrell Faulkner Ferrell
Figueroa Finch Finley Fischer Fitzgerald Fitzpatrick Fleming Fletcher Flowers Floyd Flynn Foley Forbes
Foreman Fraser Frazier Frederick French Frost Fry Frye Fuentes Gaines Gallagher Gallegos Galloway Gamble
Garner Garrison Gates Gentry Gibbs Giles Gill Gillespie Gilmore Glass Glenn Glover Golden Good Goodman
Goodwin Gould Graves Greer Gregory Griffith Grimes Gross Guerra Guthrie Hale Haley Hammond Hampton Hancock
Haney Hardin Harding Hardy Harmon Harrell Harrington Hartman Hatfield Hayden Haynes Head Heath Hebert
Henson Herman Hess Hester Hewitt Hickman Higgins Hinton Hobbs Hodge Hodges Holcomb Holden Holder Holland
Holloway Holman Holt Hood Hooper Hoover Hopkins Hopper Horn Horne Horton House Houston Hubbard Huber Huff
Huffman Hull Humphrey Hurley Hurst Hutchinson Ingram Irwin Jarvis Jefferson Jennings Joseph Joyce Joyner
Juarez Justice Kane Kaufman Keith Keller Kemp Kent Kerr Key Kidd Kirby Kirk Klein Kline Knapp Knowles Knox
Koch Kramer Lamb Lambert Landry Langley Lara Larsen Leach Leblanc Leon Leonard Lester Levine Levy Lindsay
Lindsey Livingston Lloyd Logan Lott Love Lowe Lowery Lyons Macdonald Mack Madden Maddox Mann Manning Marks
Marsh Massey Mathews Mathis Maxwell May Mayer Maynard Mayo Mays McBride McCall McCarthy McCarty McClain
McClure McConnell McCormick McCray McCullough McDaniel McDowell McFadden McFarland McGee McGowan McGuire
McIntosh McIntyre McKay McKee McKenzie McKinney McKnight McLaughlin McLean McLeod McMahon McMillan McNeil
McPherson Meadows Melendez Melton Mercado Mercer Merrill Merritt Meyers Michael Middleton Miles Miranda
Molina Monroe Montoya Moody Moon Mooney Moran Morin Morrow Morse Morton Moses Mosley Moss Mueller Mullen
Mullins Nash Navarro Neal Newman Newton Nicholson Nielsen Nixon Noble Noel Nolan Norman Norris Norton Odom
Oneal Oneil Orr Osborn Osborne Owen Pace Pacheco Page Parks Parrish Parsons Pate Patrick Patton Paul
Pearson Peck Pennington Petersen Petty Phelps Pickett Pittman Pitts Pollard Poole Pope Potter Potts Powers
Pratt Preston Prince Proctor Pruitt Pugh Quinn Ramsey Randall Randolph Rasmussen Ratliff Reese Reeves
Reilly Rhodes Rich Richard Richmond Riddle Riggs Rivas Rivers Roach Robbins Roberson Robles Rocha Rodgers
Roman Rosales Rosario Roth Rowe Rowland Roy Rush Russo Rutledge Salas Salinas Sampson Santana Sargent
Saunders Savage Sawyer Schneider Schroeder Schwartz Sears Sellers Serrano Sexton Shaffer Shannon Sharp
Sharpe Shelton Shepard Shepherd Sheppard Sherman Shields Short Skinner Slater Sloan Small Snider Snow
Solis Solomon Sparks Spears Spence Stafford Stanley Stanton Stark Steele Stein Stephenson Stevenson Stokes
Stout Strickland Strong Suarez Summers Sutton Swanson Sweeney Sweet Sykes Talley Tanner Tate Terrell Terry
Thornton Tillman Todd Townsend Travis Trevino Trujillo Tyler Tyson Underwood Valencia Valentine Valenzuela
Vance Vang Vaughan Vaughn Velasquez Velez Villarreal Vincent Vinson Wade Walls Walter Walters Walton Ware
Warner Waters Watts Weeks Weiss Whitaker Whitehead Whitfield Whitley Whitney Wiggins Wilcox Wilder Wiley
Wilkerson Wilkins Wilkinson William Winters Wise Witt Wolf Wolfe Woodard Woodward Workman Wyatt Wynn Yates
York Zamora Zimmerman Ainsworth Appleby Arkwright Ashcroft Ashworth Bagshaw Barclay Barraclough Beaumont
Beckett Bellamy Bickford Birch Blakely Blythe Bradshaw Braithwaite Brandon Broadbent Bromley Buckland
Burrows Buxton Calloway Chadwick Chatham Chester Clifford Colbert Coldwell Connolly Cornwell Crawley
Crompton Croft Dalby Danvers Darby Darnell Denham Drummond Dunbar Easton Egerton Ellery Ellison Fairbanks
Fairchild Farnsworth Fenton Fielding Gascoigne Goddard Grady Granger Grantham Greenwood Hadley Halliday
Harcourt Hargreaves Hartley Hathaway Haywood Heywood Holbrook Hollis Huxley Ives Jessop Keaton Kendall
Kingsley Kirkland Langford Langston Latham Lockhart Lockwood Lovell Ludlow Marlow Marsden Mayfield
Merriweather Milford Milner Moorhouse Mortimer Mowbray Newell Norwood Oakley Ogden Osgood Oxley Paxton
Pemberton Penrose Percival Pickering Prescott Radcliffe Ramsay Rawlins Redmond Ridley Rigby Rowley
Rutherford Selby Seymour Sheffield Sherwood Sinclair Somerset Spalding Standish Stratton Sumner Sutherland
Talbot Tennant Thackeray Thorne Thurston Tilden Townley Trent Tremaine Upton Wainwright Wakefield Walden
Wallis Warrick Waverly Wentworth Weston Wetherby Wheatley Whitman Whitmore Wickham Winslow Winthrop
Woodruff Wycliffe)");
BRANCHFS_LIST(kTitles, ' ',
R"(Mr. Mrs. Ms. Miss Dr. Prof.)");
BRANCHFS_LIST(kSuffixes, ' ',
R"(Jr. Sr. II III IV MD PhD DDS DVM Esq.)");
BRANCHFS_LIST(kCityHeads, ';',
R"(Alder;Amber;Apple;Ash;Badger;Barn;Beech;Bell;Birch;Black;Bramble;Bright;Brook;Cedar;Clear;Copper;Crane
Elder;Elm;Fair;Falcon;Fern;Fox;Glen;Gold;Granite;Green;Hazel;Heron;High;Holly;Iron;Juniper;Kings;Lake
Laurel;Linden;Maple;Marsh;Meadow;Mill;New;Oak;Otter;Pine;Quail;Raven;Red;River;Rock;Rose;Silver;Spring
Stone;Summer;Thorn;Timber;Walnut;White;Willow;Winter;Wolf;Wood)");
BRANCHFS_LIST(kCityTails, ';',
R"(borough;bridge;brook;burgh;bury;cliff;combe;creek;dale;field;ford;gate;grove;ham;haven;hill;holm;land;mere
mont;mouth;point;pool;port;ridge;shore;side;stead;ton;vale;view;ville;wick)");
BRANCHFS_LIST(kStreetHeads, ';',
R"(Abbey;Acorn;Adams;Alder;Amber;Apple;Arbor;Ash;Aspen;Autumn;Bay;Beacon;Beech;Bell;Birch;Bluebell;Bramble
Bridge;Brook;Canal;Canyon;Cardinal;Castle;Cedar;Cherry;Chestnut;Church;Clover;College;Copper;Cottage;Creek
Crescent;Cypress;Dogwood;Dove;Eagle;East;Elm;Fairview;Falcon;Fern;Field;Forest;Foundry;Fountain;Fox;Garden
Granite;Green;Grove;Harbor;Hawthorn;Hazel;Heather;Heron;Hickory;High;Highland;Hill;Holly;Indigo;Ivy
Jasmine;Juniper;King;Lake;Laurel;Lavender;Liberty;Lilac;Linden;Locust;Magnolia;Main;Maple;Market;Meadow
Mill;Mulberry;North;Oak;Ocean;Olive;Orchard;Park;Pear;Pebble;Pine;Poplar;Prairie;Primrose;Quarry;Queen
Railroad;Ridge;River;Rose;Saddle;School;Sequoia;Silver;South;Spring;Spruce;Station;Stone;Summit;Sunset
Sycamore;Thistle;Union;Valley;Vine;Violet;Walnut;Water;West;Willow;Winter;Woodland)");
BRANCHFS_LIST(kStreetTails, ';',
R"(Avenue;Boulevard;Circle;Court;Drive;Lane;Parkway;Place;Road;Street;Terrace;Trail;Way)");
BRANCHFS_LIST(kCompanyHeads, ';',
R"(Acorn;Alder;Amber;Anchor;Aspen;Atlas;Beacon;Birchwood;Bluestone;Bridgewater;Brightfield;Broadleaf;Canyon
Cedar;Clearwater;Cobalt;Copperfield;Crestview;Eastgate;Elmwood;Evergreen;Fairway;Falcon;Fieldstone
Foxglove;Goldleaf;Granite;Greenway;Hawthorn;Heron;Highland;Hillcrest;Ironwood;Juniper;Keystone;Lakeside
Lantern;Larkspur;Maple;Meadowlark;Millbrook;Moonstone;Northstar;Oakridge;Orchard;Pinecrest;Quarry;Redwood
Ridgeline;Riverbend;Rosewood;Seaside;Silverline;Skylark;Southgate;Stonebridge;Summit;Sunrise;Thornhill
Timberline;Valley;Vista;Westfield;Whitewater;Willow;Windmill;Woodland)");
BRANCHFS_LIST(kCompanyTails, ';',
R"(Analytics;Bakery Group;Builders;Capital Partners;Chemicals;Consulting;Design Studio;Distribution
Electronics;Energy;Engineering;Foods;Freight;Furniture;Health Services;Holdings;Home Supplies;Instruments
Insurance Services;Labs;Logistics;Machinery;Manufacturing;Media;Packaging;Pharmacies;Plastics;Printing
Publishing;Retail Group;Robotics;Security;Software;Steel Works;Systems;Telecom;Textiles;Tools;Trading
Travel)");
BRANCHFS_LIST(kCompanySuffixes, ';',
R"(Inc.;LLC;Ltd.;Corp.;Group;and Sons;and Partners;Holdings;Company;PLC)");
BRANCHFS_LIST(kProfessions, ';',
R"(Accountant;Actor;Actuary;Administrator;Agronomist;Air Traffic Controller;Ambulance Driver;Animal Keeper
Archaeologist;Architect;Archivist;Art Director;Astronomer;Auditor;Baker;Bank Clerk;Barber;Barista
Beekeeper;Biologist;Boat Builder;Bookbinder;Bookkeeper;Botanist;Bricklayer;Bus Driver;Butcher;Buyer
Cabinet Maker;Camera Operator;Carpenter;Cartographer;Cashier;Chef;Chemist;Chiropractor;Civil Engineer
Cleaner;Coach;Composer;Confectioner;Conservator;Copywriter;Courier;Crane Operator;Curator;Customer Adviser
Dancer;Data Analyst;Database Administrator;Dental Assistant;Dentist;Dietitian;Dispatcher;Diver;Draftsman
Economist;Editor;Electrician;Elevator Mechanic;Estate Agent;Event Manager;Farmer;Film Editor;Firefighter
Fisher;Flight Attendant;Florist;Forester;Forklift Driver;Game Designer;Gardener;Geologist;Glazier
Goldsmith;Graphic Designer;Hairdresser;Historian;Hotel Manager;Hydrologist;Illustrator;Insurance Broker
Interior Designer;Interpreter;Janitor;Journalist;Judge;Laboratory Technician;Landscape Architect;Lawyer
Librarian;Lifeguard;Locksmith;Logistician;Machinist;Make-up Artist;Market Researcher;Mason;Mathematician
Mechanic;Meteorologist;Midwife;Miller;Miner;Musician;Network Engineer;Notary;Nurse;Nursery Teacher
Optician;Painter;Paramedic;Park Ranger;Pastry Cook;Pathologist;Personnel Manager;Pharmacist;Photographer
Physicist;Physiotherapist;Piano Tuner;Pilot;Plasterer;Plumber;Police Officer;Porter;Postal Worker;Potter
Press Officer;Printer;Product Manager;Proofreader;Psychologist;Quality Inspector;Radiographer;Receptionist
Recruiter;Roofer;Sailor;Sales Manager;Scaffolder;School Teacher;Sculptor;Secretary;Security Guard;Shepherd
Shoemaker;Social Worker;Software Developer;Sound Engineer;Speech Therapist;Statistician;Stonemason;Surgeon
Surveyor;System Administrator;Tailor;Tax Adviser;Taxi Driver;Test Engineer;Tiler;Toolmaker;Tour Guide
Train Driver;Translator;Truck Driver;Upholsterer;Urban Planner;Veterinarian;Waiter;Warehouse Worker
Watchmaker;Web Designer;Welder;Wine Maker;Writer;Zoologist)");
BRANCHFS_LIST(kIndustries, ';',
R"(Aerospace;Agriculture;Animal Care;Apparel;Architecture;Automotive;Aviation;Banking;Beverages;Biotechnology
Broadcasting;Building Materials;Chemicals;Childcare;Construction;Consulting;Cosmetics;Dairy;Education
Electrical Equipment;Energy;Engineering;Entertainment;Environmental Services;Event Services;Facilities
Fisheries;Food Production;Forestry;Furniture;Glass and Ceramics;Health Care;Hospitality;Household Goods
Human Resources;Information Services;Insurance;Investment Management;Jewelry;Law Practice;Leisure
Libraries;Logistics;Machinery;Maritime;Market Research;Medical Devices;Metals;Mining;Music;Packaging;Paper
Pharmaceuticals;Photography;Plastics;Postal Services;Printing;Public Safety;Publishing;Railways
Real Estate;Recycling;Renewable Energy;Research;Restaurants;Retail;Security;Semiconductors;Shipbuilding
Software;Sporting Goods;Telecommunications;Textiles;Tourism;Translation;Transportation;Utilities
Veterinary;Warehousing;Water Supply;Wholesale;Wine and Spirits)");
BRANCHFS_LIST(kColours, ';',
R"(Amber;Apricot;Aquamarine;Azure;Beige;Black;Blue;Brown;Burgundy;Charcoal;Cherry;Chestnut;Cobalt;Copper
Coral;Cream;Crimson;Cyan;Emerald;Fuchsia;Gold;Gray;Green;Indigo;Ivory;Jade;Khaki;Lavender;Lemon;Lilac;Lime
Magenta;Maroon;Mauve;Mint;Navy;Ochre;Olive;Orange;Peach;Pink;Plum;Purple;Red;Ruby;Salmon;Sand;Scarlet
Silver;Slate;Tan;Teal;Turquoise;Umber;Vanilla;Violet;White;Yellow)");
BRANCHFS_LIST(kStates, ';',
R"(AL Alabama;AK Alaska;AZ Arizona;AR Arkansas;CA California;CO Colorado;CT Connecticut;DE Delaware
FL Florida;GA Georgia;HI Hawaii;ID Idaho;IL Illinois;IN Indiana;IA Iowa;KS Kansas;KY Kentucky;LA Louisiana
ME Maine;MD Maryland;MA Massachusetts;MI Michigan;MN Minnesota;MS Mississippi;MO Missouri;MT Montana
NE Nebraska;NV Nevada;NH New Hampshire;NJ New Jersey;NM New Mexico;NY New York;NC North Carolina
ND North Dakota;OH Ohio;OK Oklahoma;OR Oregon;PA Pennsylvania;RI Rhode Island;SC South Carolina
SD South Dakota;TN Tennessee;TX Texas;UT Utah;VT Vermont;VA Virginia;WA Washington;WV West Virginia
WI Wisconsin;WY Wyoming)");
BRANCHFS_LIST(kCountries, ';',
R"(AD Andorra;AE United Arab Emirates;AF Afghanistan;AG Antigua and Barbuda;AL Albania;AM Armenia;AO Angola
AR Argentina;AT Austria;AU Australia;AZ Azerbaijan;BA Bosnia and Herzegovina;BB Barbados;BD Bangladesh
BE Belgium;BF Burkina Faso;BG Bulgaria;BH Bahrain;BI Burundi;BJ Benin;BN Brunei;BO Bolivia;BR Brazil
BS Bahamas;BT Bhutan;BW Botswana;BY Belarus;BZ Belize;CA Canada;CD Democratic Republic of the Congo
CF Central African Republic;CG Congo;CH Switzerland;CI Ivory Coast;CL Chile;CM Cameroon;CN China
CO Colombia;CR Costa Rica;CU Cuba;CV Cape Verde;CY Cyprus;CZ Czechia;DE Germany;DJ Djibouti;DK Denmark
DM Dominica;DO Dominican Republic;DZ Algeria;EC Ecuador;EE Estonia;EG Egypt;ER Eritrea;ES Spain
ET Ethiopia;FI Finland;FJ Fiji;FM Micronesia;FR France;GA Gabon;GB United Kingdom;GD Grenada;GE Georgia
GH Ghana;GM Gambia;GN Guinea;GQ Equatorial Guinea;GR Greece;GT Guatemala;GW Guinea-Bissau;GY Guyana
HN Honduras;HR Croatia;HT Haiti;HU Hungary;ID Indonesia;IE Ireland;IL Israel;IN India;IQ Iraq;IR Iran
IS Iceland;IT Italy;JM Jamaica;JO Jordan;JP Japan;KE Kenya;KG Kyrgyzstan;KH Cambodia;KI Kiribati
KM Comoros;KN Saint Kitts and Nevis;KP North Korea;KR South Korea;KW Kuwait;KZ Kazakhstan;LA Laos
LB Lebanon;LC Saint Lucia;LI Liechtenstein;LK Sri Lanka;LR Liberia;LS Lesotho;LT Lithuania;LU Luxembourg
LV Latvia;LY Libya;MA Morocco;MC Monaco;MD Moldova;ME Montenegro;MG Madagascar;MH Marshall Islands
MK North Macedonia;ML Mali;MM Myanmar;MN Mongolia;MR Mauritania;MT Malta;MU Mauritius;MV Maldives
MW Malawi;MX Mexico;MY Malaysia;MZ Mozambique;NA Namibia;NE Niger;NG Nigeria;NI Nicaragua;NL Netherlands
NO Norway;NP Nepal;NR Nauru;NZ New Zealand;OM Oman;PA Panama;PE Peru;PG Papua New Guinea;PH Philippines
PK Pakistan;PL Poland;PT Portugal;PW Palau;PY Paraguay;QA Qatar;RO Romania;RS Serbia;RU Russia;RW Rwanda
SA Saudi Arabia;SB Solomon Islands;SC Seychelles;SD Sudan;SE Sweden;SG Singapore;SI Slovenia;SK Slovakia
SL Sierra Leone;SM San Marino;SN Senegal;SO Somalia;SR Suriname;SS South Sudan;SV El Salvador;SY Syria
SZ Eswatini;TD Chad;TG Togo;TH Thailand;TJ Tajikistan;TM Turkmenistan;TN Tunisia;TO Tonga;TR Turkey
TT Trinidad and Tobago;TV Tuvalu;TZ Tanzania;UA Ukraine;UG Uganda;US United States;UY Uruguay
UZ Uzbekistan;VC Saint Vincent and the Grenadines;VE Venezuela;VN Vietnam;VU Vanuatu;WS Samoa;YE Yemen
ZA South Africa;ZM Zambia;ZW Zimbabwe)");
BRANCHFS_LIST(kBuzzHeads, ';',
R"(Adaptive;Agile;Automated;Balanced;Centralized;Certified;Cohesive;Configurable;Customizable;Decentralized
Distributed;Dynamic;Efficient;Enhanced;Expanded;Extended;Flexible;Focused;Fundamental;Grounded;Horizontal
Innovative;Integrated;Intuitive;Layered;Managed;Modular;Networked;Open;Optimized;Organized;Persistent
Portable;Proactive;Programmable;Progressive;Quality-focused;Reactive;Reliable;Robust;Scalable;Seamless
Secured;Shared;Streamlined;Sustainable;Synchronized;Universal;Upgradable;Versatile)");
BRANCHFS_LIST(kBuzzMiddles, ';',
R"(actionable;analytic;asynchronous;bottom-line;client-driven;cloud-based;collaborative;composite
context-aware;data-driven;demand-led;directional;end-to-end;event-based;fault-tolerant;global;high-level
holistic;human-centred;hybrid;incremental;interactive;lean;local;long-term;mission-critical;mobile
multi-channel;national;next-level;object-based;on-demand;optimal;parallel;predictive;real-time;regional
responsive;service-led;solution-oriented;stable;systematic;tangible;value-added;well-tested;zero-waste)");
BRANCHFS_LIST(kBuzzTails, ';',
R"(ability;access;adapter;algorithm;alliance;analyzer;application;approach;archive;array;artwork;benchmark
capability;capacity;challenge;circuit;complexity;concept;core;database;definition;encoding;extranet
firmware;flexibility;forecast;framework;function;groupware;hardware;help desk;hub;implementation
initiative;installation;interface;intranet;knowledge base;matrix;methodology;middleware;model;moderator
monitoring;neural network;open system;paradigm;parallelism;policy;portal;process;product;project
projection;protocol;service desk;software;solution;standardization;strategy;structure;success;support
task force;throughput;toolset;workforce)");
// clang-format on

}  // namespace

constinit const Dictionary kEnglish = {
    .locale = Locale::en_US,
    .first_names = kFirst,
    .last_names = kLast,
    .titles = kTitles,
    .name_suffixes = kSuffixes,
    .cities = {kCityHeads, kCityTails, ""},
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
