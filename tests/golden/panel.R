# R's answers on the monthly panel (geepack). Usage: Rscript panel.R [folder]. Writes panel_*.csv.
suppressPackageStartupMessages(library(geepack))
arguments <- commandArgs(trailingOnly = TRUE)
folder <- if (length(arguments)) arguments[1] else "."
digits <- function(x) ifelse(is.na(x), "", formatC(x, digits = 17, format = "g", width = 1))

set.seed(20240302)
n <- 90
person <- data.frame(person_id = 1:n, arm = sample(c("control", "ips"), n, TRUE), age = round(rnorm(n, 35, 9)), level = rnorm(n))
panel <- merge(person, data.frame(month = 1:5))
panel$works <- rbinom(nrow(panel), 1, plogis(-0.6 + 0.25 * (panel$arm == "ips") * panel$month + panel$level - 0.02 * (panel$age - 35)))
# one month in eight is not observed, some in the middle
panel$works[sample(nrow(panel), nrow(panel) / 8)] <- NA
panel <- panel[order(panel$person_id, panel$month), c("person_id", "arm", "age", "month", "works")]
write.csv(panel, file.path(folder, "panel_people.csv"), row.names = FALSE, quote = FALSE, na = "")

seen <- panel[!is.na(panel$works), ]
seen$arm <- factor(seen$arm)
seen$f <- factor(seen$month)
tight <- geese.control(epsilon = 1e-13, maxit = 2000)
rows <- list()
for (link in c("logit", "log", "identity")) for (corstr in c("independence", "exchangeable", "ar1")) {
  family <- if (link == "identity") binomial("identity") else if (link == "log") binomial("log") else binomial("logit")
  k <- if (link == "logit") 11 else 10
  form <- if (link == "logit") works ~ arm * f + age else works ~ arm * f
  # geese is what geeglm calls; it takes a start, which glm's own may need (a risk outside 0 to 1)
  start <- if (link == "logit") coef(glm(form, family, seen)) else c(if (link == "log") log(0.4) else 0.4, rep(0, k - 1))
  names <- colnames(model.matrix(form, seen))
  # waves say how many months lie between two observations
  fit <- geese(form, id = person_id, waves = month, data = seen, family = family, corstr = corstr, control = tight, b = start)
  stopifnot(fit$error == 0)
  b <- setNames(fit$beta, names); v <- fit$vbeta
  one <- function(month, slope) data.frame(link = link, correlation = corstr, month = month, estimate = sum(slope * b),
    std_error = sqrt(drop(slope %*% v %*% slope)), alpha = if (corstr == "independence") 0 else fit$alpha[[1]])
  base <- as.numeric(names(b) == "armips")
  each <- lapply(1:5, function(m) base + as.numeric(names(b) == paste0("armips:f", m)))
  for (m in 1:5) rows[[length(rows) + 1]] <- one(m, each[[m]])
  rows[[length(rows) + 1]] <- one(NA, Reduce(`+`, each) / 5)
}
rows <- do.call(rbind, rows)
for (column in c("estimate", "std_error", "alpha")) rows[[column]] <- digits(rows[[column]])
write.csv(rows, file.path(folder, "panel_answers.csv"), row.names = FALSE, quote = FALSE, na = "")

used <- "geepack"
write.csv(data.frame(name = c("R", used), version = c(as.character(getRversion()), sapply(used, function(p) as.character(packageVersion(p))))),
          file.path(folder, "panel_versions.csv"), row.names = FALSE, quote = FALSE)
